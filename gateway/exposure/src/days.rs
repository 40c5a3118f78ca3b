//! Sums by stage and day as the join goes through a life in the order of time.

use std::collections::{BTreeMap, BTreeSet};

use agronomy::{BASE_C_DEFAULT, Cardinal};
use measure::{Quantity, Slug, Timestamp};
use nursery::{Batch, Profile, SourceClass, Stage};

use crate::house::{House, Window};
use crate::row::{Basis, DAY_COVERAGE_MIN_PERCENT, DayRow, Head, IntegralKind, Row};
use crate::tally::{Piece, Tally, Wanted};

/// The sums of a life.
pub(crate) struct Days<'a> {
    house: &'a House<'a>,
    batch: &'a Batch,
    profile: Option<&'a Profile>,
    /// By stage, in the order in which they were first entered.
    stages: Vec<StageSums<'a>>,
    whole: Sums,
    today: Option<Today>,
    rows: Vec<DayRow>,
}

struct StageSums<'a> {
    id: Slug,
    stage: Option<&'a Stage>,
    cardinal: Cardinal,
    basis: Basis,
    sums: Sums,
}

/// What adds up over a time.
#[derive(Clone, Default)]
struct Sums {
    /// From when to when.
    span: Option<Window>,
    time_us: i64,
    quantities: BTreeMap<Quantity, Sum>,
}

#[derive(Clone, Default)]
struct Sum {
    tally: Tally,
    /// The whole days among them that are covered well enough, and how many.
    whole_days: Tally,
    days: u32,
    edges: (bool, bool),
    channels: BTreeSet<String>,
}

/// The day that is being summed up: what it has of each stage.
struct Today {
    day: i32,
    stages: Vec<(usize, Sums)>,
}

/// Returns the temperatures that thermal time is counted between at a stage, and who says so.
pub(crate) fn cardinal(
    profile: Option<&Profile>,
    method: &Slug,
    stage: &Slug,
) -> (Cardinal, Basis) {
    // A profile is checked when it is loaded; one that holds no temperatures is as none.
    let found = profile.and_then(|profile| profile.thermal_time(method, stage)).and_then(|it| {
        let cardinal = Cardinal::new(it.base_c, it.upper_c).ok()?;
        Some((cardinal, it))
    });
    let Some((cardinal, it)) = found else {
        let (base_c, class, sources) = (BASE_C_DEFAULT, SourceClass::G, Vec::new());
        return (Cardinal::DEFAULT, Basis::Cardinal { base_c, upper_c: None, class, sources });
    };
    let basis = Basis::Cardinal {
        base_c: it.base_c,
        upper_c: it.upper_c,
        class: it.class,
        sources: it.sources.clone(),
    };
    (cardinal, basis)
}

/// Returns what an integral of a quantity is computed with, at a stage of that basis.
pub(crate) fn basis(quantity: Quantity, thermal: &Basis) -> Basis {
    match IntegralKind::of(quantity) {
        Some(IntegralKind::ThermalTime) => thermal.clone(),
        Some(IntegralKind::LightIntegral) if quantity == Quantity::Illuminance => Basis::Sunlight,
        Some(IntegralKind::LightIntegral | IntegralKind::VpdHours) | None => Basis::Values,
    }
}

impl<'a> Days<'a> {
    pub(crate) fn new(
        house: &'a House<'a>,
        batch: &'a Batch,
        profile: Option<&'a Profile>,
    ) -> Self {
        let (stages, rows) = (Vec::new(), Vec::new());
        Self { house, batch, profile, stages, whole: Sums::default(), today: None, rows }
    }

    /// Returns the place of a stage among those of the life.
    pub(crate) fn stage(&mut self, id: &Slug) -> usize {
        if let Some(found) = self.stages.iter().position(|it| it.id == *id) {
            return found;
        }
        let stage = self.profile.and_then(|it| it.stage(&self.batch.method, id));
        let (cardinal, basis) = cardinal(self.profile, &self.batch.method, id);
        let sums = Sums::default();
        self.stages.push(StageSums { id: id.clone(), stage, cardinal, basis, sums });
        self.stages.len() - 1
    }

    /// Goes on to a part of a day at a stage, with the channels that count then.
    pub(crate) fn enter(
        &mut self,
        (day, span): (i32, Window),
        stage: usize,
        channels: Vec<(Quantity, String)>,
    ) {
        if self.today.as_ref().is_some_and(|today| today.day != day) {
            self.end_day();
        }
        let wanted = |quantity| self.wanted(stage, quantity).has_edges();
        let edges: BTreeMap<Quantity, (bool, bool)> =
            channels.iter().map(|(quantity, _)| (*quantity, wanted(*quantity))).collect();
        let vpd_edges = wanted(Quantity::VapourPressureDeficit);
        let today = self.today.get_or_insert(Today { day, stages: Vec::new() });
        let sums = today.of(stage);
        sums.extend(span);
        for (quantity, channel) in channels {
            let sum = sums.quantities.entry(quantity).or_default();
            sum.edges = edges.get(&quantity).copied().unwrap_or_default();
            sum.channels.insert(channel);
        }
        let of = |quantity| sums.quantities.get(&quantity).map(|sum: &Sum| sum.channels.clone());
        let air = of(Quantity::AirTemperature).zip(of(Quantity::RelativeHumidity));
        if let Some((warm, wet)) = air {
            let sum = sums.quantities.entry(Quantity::VapourPressureDeficit).or_default();
            sum.edges = vpd_edges;
            sum.channels.extend(warm.into_iter().chain(wet));
        }
    }

    /// Takes pieces of a quantity, of the day and stage that was entered last.
    pub(crate) fn take(&mut self, stage: usize, quantity: Quantity, pieces: &[Piece]) {
        let wanted = self.wanted(stage, quantity);
        let Some(today) = &mut self.today else { return };
        let Some(sum) = today.of(stage).quantities.get_mut(&quantity) else { return };
        for piece in pieces {
            sum.tally.take(&wanted, piece);
        }
    }

    /// Returns the rows by stage and quantity with those of all stages last, and those by day.
    pub(crate) fn finish(mut self) -> (Vec<Row>, Vec<DayRow>) {
        self.end_day();
        let thermal = self.thermal(0..self.stages.len());
        let of = |sums: &Sums, stage: Option<&Slug>, thermal: &Basis| -> Vec<Row> {
            let rows = sums.quantities.iter();
            rows.filter_map(|(quantity, sum)| sums.row(stage, *quantity, sum, thermal)).collect()
        };
        let mut rows: Vec<Row> =
            self.stages.iter().flat_map(|it| of(&it.sums, Some(&it.id), &it.basis)).collect();
        rows.extend(of(&self.whole, None, &thermal));
        (rows, self.rows)
    }

    fn wanted(&self, stage: usize, quantity: Quantity) -> Wanted {
        let found = self.stages.get(stage);
        let cardinal = found.map_or(Cardinal::DEFAULT, |it| it.cardinal);
        Wanted::new(quantity, found.and_then(|it| it.stage), cardinal)
    }

    /// Returns what thermal time over some stages was computed with.
    fn thermal(&self, stages: impl IntoIterator<Item = usize>) -> Basis {
        let mut bases = stages.into_iter().filter_map(|it| self.stages.get(it)).map(|it| &it.basis);
        let first = bases.next().cloned().unwrap_or(Basis::EachStage);
        if bases.all(|it| *it == first) { first } else { Basis::EachStage }
    }

    fn end_day(&mut self) {
        let Some(Today { day, stages }) = self.today.take() else { return };
        let (start, end) = self.house.day_window(day);
        let day_us = end.micros_since(start);
        let mut all = Sums::default();
        for (_, sums) in &stages {
            all.add(sums);
        }
        let thermal = self.thermal(stages.iter().map(|(index, _)| *index));
        let ids = stages.iter().filter_map(|(index, _)| self.stages.get(*index));
        let ids: Vec<Slug> = ids.map(|it| it.id.clone()).collect();
        all.count_day(day_us);
        self.whole.add(&all);
        for (quantity, sum) in &all.quantities {
            let row = all.row(None, *quantity, sum, &thermal);
            self.rows.extend(row.map(|row| DayRow { day, stages: ids.clone(), row }));
        }
        for (index, mut sums) in stages {
            sums.count_day(day_us);
            if let Some(stage) = self.stages.get_mut(index) {
                stage.sums.add(&sums);
            }
        }
    }
}

impl Today {
    fn of(&mut self, stage: usize) -> &mut Sums {
        let found = self.stages.iter().position(|(index, _)| *index == stage);
        let at = found.unwrap_or_else(|| {
            self.stages.push((stage, Sums::default()));
            self.stages.len() - 1
        });
        let (_, sums) = self.stages.get_mut(at).expect("it was found or has just been added");
        sums
    }
}

impl Sums {
    fn extend(&mut self, (from, to): Window) {
        self.time_us += to.micros_since(from);
        let (first, last) = self.span.unwrap_or((from, to));
        self.span = Some((first.min(from), last.max(to)));
    }

    fn add(&mut self, other: &Self) {
        self.time_us += other.time_us;
        if let Some((from, to)) = other.span {
            let (first, last) = self.span.unwrap_or((from, to));
            self.span = Some((first.min(from), last.max(to)));
        }
        for (quantity, other) in &other.quantities {
            let sum = self.quantities.entry(*quantity).or_default();
            sum.tally.add(&other.tally);
            sum.whole_days.add(&other.whole_days);
            sum.days += other.days;
            sum.edges = (sum.edges.0 || other.edges.0, sum.edges.1 || other.edges.1);
            sum.channels.extend(other.channels.iter().cloned());
        }
    }

    /// Notes that these are the sums of a day, where it was spent whole and is covered well enough.
    fn count_day(&mut self, day_us: i64) {
        if self.time_us != day_us {
            return;
        }
        for sum in self.quantities.values_mut() {
            let covered = i128::from(sum.tally.covered_us) * 100;
            if covered >= i128::from(day_us) * i128::from(DAY_COVERAGE_MIN_PERCENT) {
                (sum.whole_days, sum.days) = (sum.tally.clone(), 1);
            }
        }
    }

    fn row(
        &self,
        stage: Option<&Slug>,
        quantity: Quantity,
        sum: &Sum,
        thermal: &Basis,
    ) -> Option<Row> {
        let (from, to): (Timestamp, Timestamp) = self.span?;
        let head = Head {
            stage: stage.cloned(),
            quantity,
            from,
            to,
            time_us: self.time_us,
            edges: sum.edges,
            channels: sum.channels.iter().cloned().collect(),
            basis: basis(quantity, thermal),
        };
        Some(head.row(&sum.tally, (&sum.whole_days, sum.days)))
    }
}
