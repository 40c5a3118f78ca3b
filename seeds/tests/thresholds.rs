//! What readings are held against is whole: every number has a class, those that nodes judge by are
//! the nodes' own, and what a nursery sets goes before it.

use measure::qartod::Thresholds;
use measure::{NodeKey, Quantity, Slug};
use nursery::SourceClass;
use quality::Limits;
use store::SeriesKey;

fn slug(name: &str) -> Slug {
    Slug::new(name).expect("a slug")
}

fn key(node: &str, position: &str, quantity: Quantity) -> SeriesKey {
    let node = NodeKey { site: slug("nanchuan"), node: slug(node) };
    SeriesKey { node, position: slug(position), quantity }
}

fn shipped(quantity: Quantity) -> Limits {
    seeds::thresholds().expect("what ships is sound").0.limits(&key("any", "where", quantity))
}

#[test]
fn every_number_has_a_class_and_a_source_unless_it_is_a_proposal() {
    let known: Vec<String> = seeds::sources().unwrap().into_iter().map(|it| it.id).collect();
    let (_, cited) = seeds::thresholds().unwrap();
    assert!(cited.len() > 30);
    for it in cited {
        let class = it.class.unwrap_or_else(|| panic!("{it:?} has no class"));
        assert_eq!(it.sources.is_empty(), class == SourceClass::G, "{it:?}");
        assert!(it.sources.iter().all(|id| known.contains(id)), "{it:?}");
    }
}

/// A node and the gateway must not contradict each other on the same values.
#[test]
fn rate_and_flat_line_are_those_of_the_nodes() {
    for quantity in Quantity::ALL {
        let (node, ours) = (Thresholds::of(quantity), shipped(quantity).node);
        assert_eq!((ours.rate, ours.flat), (node.rate, node.flat), "{quantity}");
        assert_eq!(ours.flat_below, node.flat_below, "{quantity}");
    }
}

#[test]
fn no_proposal_makes_a_reading_fail() {
    let (_, cited) = seeds::thresholds().unwrap();
    for quantity in Quantity::ALL {
        let limits = shipped(quantity);
        let class = |test| {
            let it = cited.iter().find(|it| it.quantity == quantity && it.test == test);
            it.and_then(|it| it.class)
        };
        let may_fail = |test| class(test) != Some(SourceClass::G);
        assert!(limits.spike.is_none_or(|it| it.limit.fail == u32::MAX) || may_fail("spike"));
        assert!(limits.node.flat.and_then(|it| it.fail_ms).is_none() || may_fail("flat"));
        let (low, high) = limits.node.range.fail;
        let (least, most) = quantity.range();
        let is_zero = quantity == Quantity::Co2 && low == 1;
        assert!((low <= least || is_zero) && high >= most || may_fail("range"), "{quantity}");
    }
}

/// Darkness, rest and a saturated air are no flat lines.
#[test]
fn what_may_rest_has_no_flat_line() {
    for quantity in [
        Quantity::Illuminance,
        Quantity::Ppfd,
        Quantity::SolarIrradiance,
        Quantity::Rainfall,
        Quantity::WindSpeed,
        Quantity::DoorOpen,
        Quantity::MainsPresent,
        Quantity::MistFlow,
        Quantity::SupplyVoltage,
    ] {
        assert_eq!(shipped(quantity).node.flat, None, "{quantity}");
    }
    assert_eq!(shipped(Quantity::RelativeHumidity).node.flat_below, Some(9_500));
}

#[test]
fn what_a_nursery_sets_goes_before_what_ships_and_the_special_before_the_general() {
    let text = r#"
        [[limits]]
        quantity = "air_temperature"
        node = "nanchuan/bench-1"
        position = "canopy"
        flat = { within = 0.5, suspect_min = 30, fail_min = 360 }
        [[limits]]
        quantity = "air_temperature"
        flat = false
        spike = { suspect = 5, fail = 20, within_min = 10 }
    "#;
    let table = seeds::thresholds_with("mine", text).unwrap();
    let of = |node, position| table.limits(&key(node, position, Quantity::AirTemperature));
    let (here, there) = (of("bench-1", "canopy"), of("bench-1", "door"));
    let flat = here.node.flat.unwrap();
    assert_eq!((flat.tolerance, flat.suspect_ms), (500, 1_800_000));
    assert_eq!(flat.fail_ms, Some(21_600_000));
    assert_eq!(there.node.flat, None);
    let spike = here.spike.unwrap().limit;
    assert_eq!((spike.suspect, spike.fail), (5_000, 20_000));
    assert_eq!(here.node.rate, shipped(Quantity::AirTemperature).node.rate);
    let humidity = table.limits(&key("bench-1", "canopy", Quantity::RelativeHumidity));
    assert_eq!(humidity, shipped(Quantity::RelativeHumidity));
}

#[track_caller]
fn refused(line: &str, expect: &str) {
    let text = format!("[[limits]]\nquantity = \"air_temperature\"\n{line}\n");
    let error = seeds::thresholds_with("mine", &text).expect_err("it is wrong");
    let source = std::error::Error::source(&error).map(ToString::to_string);
    let text = format!("{error}: {}", source.unwrap_or_default());
    assert!(text.contains(expect), "{text}");
}

#[test]
fn what_is_wrong_is_named_with_its_value() {
    refused("range = { fail = [10, -10] }", "range.fail is [10, -10]; give the lower end first");
    refused("range = { fail = [0, 10], suspect = [-1, 5] }", "leads out of range.fail");
    refused("rate = { step = 0, in_s = 60 }", "rate.step is 0; give at least 0.001 Cel");
    refused("rate = { step = nan, in_s = 60 }", "rate.step is NaN");
    refused("rate = { step = 1, in_s = 0 }", "rate.in_s is 0; give 1 to 86400");
    refused("rate = true", "`false` to switch it off");
    refused("rate = { step = 1, in_s = 6, colour = 1 }", "unknown field `colour`");
    refused("flat = { within = 0.1, suspect_min = 60, fail_min = 30 }", "let it be longer");
    refused("spike = { suspect = 1e9, within_min = 1 }", "spike.suspect is 1000000000");
    refused("node = \"bench-1\"", "node `bench-1` is no `site/node`");
    refused("colour = 1", "unknown field `colour`");
}
