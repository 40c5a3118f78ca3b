//! The benchmarks, with the peers beside us in the same run on the same data: Mosquitto with a bridge
//! into InfluxDB 1.6 and into VictoriaMetrics.
//!
//! Prints a table and writes `target/bench.json`: `{"rows":[{"name","ours","theirs","unit","ratio"}]}`,
//! where a ratio of 1 or more always means that ours is at least as good. A measurement, not a test;
//! but where a reading is lost or doubled it ends with an error.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod alarm;
mod bridge;
mod feed;
mod flow;
mod peers;
mod points;
mod session;
mod site;
mod table;
mod usage;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use measure::Timestamp;

use crate::table::Table;

/// Measures the whole, with the peers beside it.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// How many nodes of eight channels publish.
    #[arg(long, default_value_t = 100)]
    nodes: usize,
    /// How long each flow is measured at full speed, in seconds.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// How long 50,000 readings a second must hold, in minutes.
    #[arg(long, default_value_t = 0.5)]
    minutes: f64,
    /// Points of each of the 800 series; 24,000 in the design's measurements.
    #[arg(long, default_value_t = 8_640)]
    points: u64,
    /// Measures this alone.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Measures without the peers.
    #[arg(long)]
    without_peers: bool,
    /// Where the rows go.
    #[arg(long, default_value = "target/bench.json")]
    json: PathBuf,
    #[command(subcommand)]
    command: Option<Hidden>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Readings a second at full speed.
    Flow,
    /// 50,000 readings a second for long.
    Sustained,
    /// From a reading to its alarm.
    Alarm,
    /// Size, questions and opening on the 800 series.
    Points,
}

#[derive(Debug, Subcommand)]
enum Hidden {
    /// Commits points until it is killed.
    #[command(hide = true)]
    Fill { folder: PathBuf, first: u64, last: u64 },
}

impl Arguments {
    fn span(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Hidden::Fill { folder, first, last }) = &arguments.command {
        return points::fill_until_killed(folder, *first, *last);
    }
    let mut table = Table::default();
    if arguments.wants(Part::Flow) {
        let ours = flow::ours(&arguments, &mut table)?;
        if !arguments.without_peers {
            flow::peers(&arguments, &ours, &mut table)?;
        }
    }
    if arguments.wants(Part::Sustained) {
        flow::sustained(&arguments, &mut table)?;
    }
    if arguments.wants(Part::Alarm) {
        alarm::measure(&arguments, &mut table)?;
    }
    if arguments.wants(Part::Points) {
        points::measure(&arguments, &mut table)?;
    }
    table.finish(&arguments.json)
}

/// Returns the time of day.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as i64).unwrap_or(Timestamp::MIN)
}
