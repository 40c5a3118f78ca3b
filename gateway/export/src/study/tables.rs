//! The tables of a study that are computed: exposure, days, batches, nights, accessions.
//!
//! A cell is quoted where RFC 4180 asks for it and is otherwise what it is: one that begins with
//! `=`, `+`, `-` or `@` is text (or a negative number), and no program should take it for a formula.

use std::collections::BTreeSet;
use std::io::Write;

use exposure::{Basis, DayRow, Lived, Row, stays};
use germplasm::{Field, Passport};
use measure::{Slug, Timestamp};

use crate::Error;
use crate::rows::instant;
use crate::study::Study;
use crate::study::definitions::{BATCHES, DAYS, EXPOSURE, NIGHTS};

type All = [(Slug, Slug, Lived)];

/// Returns a computed number as it stands in a file: six decimals.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    if text == "-0.000000" { "0.000000".to_owned() } else { text }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, number)
}

fn time(at: Timestamp) -> String {
    format!("{:.6}", instant(at))
}

/// Returns a local day, such as `2026-11-23`.
fn date(day: i32) -> String {
    let first = jiff::civil::Date::constant(1970, 1, 1);
    let date = first.checked_add(jiff::Span::new().days(day));
    date.map_or_else(|_| day.to_string(), |date| date.to_string())
}

/// The numbers that a row of a stage and one of a day have in common.
fn numbers(row: &Row) -> Vec<String> {
    let mut cells = vec![
        row.quantity.name().to_owned(),
        row.quantity.ucum().to_owned(),
        time(row.from),
        time(row.to),
        number(row.hours()),
        number(row.coverage()),
        optional(row.min),
        optional(row.mean),
        optional(row.max),
        optional(row.hours_below()),
        optional(row.hours_above()),
    ];
    let integral = row.integral.as_ref();
    cells.push(integral.map_or_else(String::new, |it| it.kind.name().to_owned()));
    cells.push(optional(integral.map(|it| it.value)));
    cells.push(integral.map_or_else(String::new, |it| it.kind.unit().to_owned()));
    cells
}

pub(super) fn exposure(all: &All, out: &mut dyn Write) -> Result<(), Error> {
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    writer.write_record(EXPOSURE.map(|column| column.name))?;
    for (site, batch, lived) in all {
        for row in &lived.rows {
            let stage = row.stage.as_ref().map_or("", Slug::as_str);
            let mut cells = vec![site.to_string(), batch.to_string(), stage.to_owned()];
            cells.extend(numbers(row));
            let integral = row.integral.as_ref();
            cells.push(optional(integral.and_then(|it| it.a_day)));
            cells.push(integral.map_or_else(String::new, |it| it.kind.unit_a_day().to_owned()));
            cells.push(integral.map_or_else(String::new, |it| it.days.to_string()));
            let (base, upper, class) = match integral.map(|it| &it.basis) {
                Some(Basis::Cardinal { base_c, upper_c, class, .. }) => {
                    (number(*base_c), optional(*upper_c), class.name())
                }
                Some(Basis::Values | Basis::Sunlight | Basis::EachStage) | None => {
                    (String::new(), String::new(), "")
                }
            };
            cells.extend([base, upper, class.to_owned(), row.channels.join(" ")]);
            writer.write_record(&cells)?;
        }
    }
    Ok(writer.flush()?)
}

pub(super) fn days(study: &Study, all: &All, out: &mut dyn Write) -> Result<(), Error> {
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    writer.write_record(DAYS.map(|column| column.name))?;
    for (site, batch, lived) in all {
        let zone = study.sites.iter().find(|it| it.id == *site).map(|it| &it.time_zone);
        for DayRow { day, stages, row } in &lived.days {
            let midnight = |day: i32| zone.map(|it| it.instant(day, nursery::TimeOfDay::MIDNIGHT));
            let length = midnight(*day).zip(midnight(day.saturating_add(1)));
            let hours = length.map(|(from, to)| to.micros_since(from) as f64 / 3_600e6);
            let stages: Vec<&str> = stages.iter().map(Slug::as_str).collect();
            let mut cells = vec![site.to_string(), batch.to_string(), date(*day)];
            cells.extend([optional(hours), stages.join(" ")]);
            cells.extend(numbers(row));
            writer.write_record(&cells)?;
        }
    }
    Ok(writer.flush()?)
}

pub(super) fn batches(study: &Study, out: &mut dyn Write) -> Result<(), Error> {
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    writer.write_record(BATCHES.map(|column| column.name))?;
    for batch in study.batches() {
        for segment in stays(batch, study.span) {
            writer.write_record([
                batch.site.as_str(),
                batch.id.as_str(),
                &batch.label,
                batch.accession.as_deref().unwrap_or(""),
                batch.crop.as_str(),
                batch.method.as_str(),
                segment.stage.as_str(),
                segment.zone.as_str(),
                segment.position.as_ref().map_or("", Slug::as_str),
                &time(segment.from),
                &time(segment.to),
            ])?;
        }
    }
    Ok(writer.flush()?)
}

/// Writes the nights of every zone from the first stay in it to the last.
pub(super) fn nights(study: &Study, out: &mut dyn Write) -> Result<(), Error> {
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    writer.write_record(NIGHTS.map(|column| column.name))?;
    let sites: BTreeSet<&Slug> = study.batches.iter().map(|batch| &batch.site).collect();
    for site in sites {
        let stays = study.stays(site);
        let zones: BTreeSet<&Slug> = stays.iter().map(|stay| &stay.zone).collect();
        for zone in zones {
            let of = || stays.iter().filter(|stay| stay.zone == *zone);
            let ends = of().map(|stay| stay.from).min().zip(of().map(|stay| stay.to).max());
            let Some((from, to)) = ends else { continue };
            for (dusk, dawn) in dark(study, (site, zone), from, to) {
                let cells = [site.as_str(), zone.as_str(), &time(dusk), &time(dawn)];
                writer.write_record(cells)?;
            }
        }
    }
    Ok(writer.flush()?)
}

fn dark(
    study: &Study,
    (site, zone): (&Slug, &Slug),
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let mut nights: Vec<(Timestamp, Timestamp)> = Vec::new();
    let mut at = from;
    while at < to {
        let light = (study.light)(site, zone, at);
        let until = if light.until > at { light.until.min(to) } else { to };
        if !light.day {
            match nights.last_mut() {
                Some((_, dawn)) if *dawn == at => *dawn = until,
                _ => nights.push((at, until)),
            }
        }
        at = until;
    }
    nights
}

pub(super) fn accessions(study: &Study, out: &mut dyn Write) -> Result<(), Error> {
    let mut passports: Vec<&Passport> = study.passports.iter().collect();
    passports.sort_by_key(|it| (it.get(Field::InstCode), it.get(Field::AcceNumb)));
    Ok(germplasm::write(passports, out)?)
}
