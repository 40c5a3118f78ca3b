//! What the gateway tells Prometheus about itself, asked for at each collection.
//!
//! Everything is counted where it happens; here it only gets names. No label comes from outside: no
//! node, no person, no path. What cannot be read now is left out of one collection.

use std::{fmt, sync::Arc};

use broker::{Refusal, Refusals};
use ingest::{Outlets, Presence};
use measure::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, histogram::Histogram},
    registry::Unit,
};
use registry::Registry;
use store::Store;
use tokio::sync::watch;

use crate::{disk, reserve::Reserve, series};

/// Where the numbers are.
pub(crate) struct Gauges {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) outlets: Arc<Outlets>,
    pub(crate) refusals: Option<Arc<Refusals>>,
    pub(crate) commits: Histogram,
    pub(crate) reserve: Arc<Reserve>,
    pub(crate) troubles: watch::Receiver<Vec<api::types::Name>>,
    /// When the process started, on the wall's clock.
    pub(crate) started: Timestamp,
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges").finish_non_exhaustive()
    }
}

impl Collector for Gauges {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut out = Out(encoder);
        self.readings(&mut out)?;
        self.broker(&mut out)?;
        self.journal(&mut out)?;
        self.nodes(&mut out)?;
        self.alarms(&mut out)?;
        self.deliveries(&mut out)?;
        self.disk(&mut out)?;
        self.process(&mut out)
    }
}

impl Gauges {
    fn readings(&self, out: &mut Out<'_>) -> fmt::Result {
        let counters = &self.outlets.counters;
        out.counter("readings_kept", "Readings newly on disk", counters.kept.get())?;
        out.counter("readings_repeated", "Readings dropped as repeats", counters.repeated.get())?;
        let help = "Readings kept a microsecond later, because another one had their time";
        out.counter("readings_shifted", help, counters.shifted.get())?;
        let help = "Readings kept although their channel had a newer one";
        out.counter("readings_late", help, counters.late.get())?;
        out.counter("frames_received", "Messages taken from the broker", counters.messages.get())?;
        let refused = [
            ("garbled", counters.dead_letters.get()),
            ("unknown_node", counters.unknown_nodes.get()),
            ("store_limit", counters.beyond_limit.get()),
            ("queue_full", counters.overflows.get()),
        ];
        let help = "Messages not taken in, by reason; their nodes keep what they may send again";
        out.counters("frames_refused", help, "reason", refused)?;
        let help = "Dead letters that were taken again and are in the store now";
        out.counter("dead_letters_replayed", help, counters.letters_replayed.get())?;
        out.counter("commits", "Commits of the store", counters.commits.get())?;
        let help = "Commits that failed and were tried again";
        out.counter("commit_failures", help, counters.commit_failures.get())?;
        let help = "How long a commit took until it was on disk";
        out.histogram("commit_duration", help, &self.commits)?;
        let help = "Acknowledgements sent to nodes";
        out.counter("acknowledgements", help, counters.acknowledgements.get())?;
        let help = "Births that nodes were asked for";
        out.counter("births_requested", help, counters.rebirths.get())
    }

    fn broker(&self, out: &mut Out<'_>) -> fmt::Result {
        let help = "Connections of the gateway's own session to the broker";
        let counters = &self.outlets.counters;
        out.counter("broker_sessions", help, counters.connections.get())?;
        let help = "Subscriptions asked for again because nothing came through them";
        out.counter("broker_resubscriptions", help, counters.resubscriptions.get())?;
        let help = "Sessions given up because of a packet that can't be taken";
        out.counter("broker_sessions_given_up", help, counters.poisoned_sessions.get())?;
        let Some(refusals) = &self.refusals else { return Ok(()) };
        let counts = Refusal::ALL.map(|kind| (kind.name(), refusals.count(kind)));
        let help = "Connections and messages that the broker refused, by reason";
        out.counters("broker_refused", help, "reason", counts)
    }

    fn journal(&self, out: &mut Out<'_>) -> fmt::Result {
        let (Ok(position), Ok(judged)) = (self.store.last_position(), self.registry.judged())
        else {
            return Ok(());
        };
        out.gauge("journal_position", "Position of the last commit in the journal", position.0)?;
        out.gauge("judged_position", "Position up to which alarms were judged", judged)?;
        let help = "Commits that wait to be judged";
        out.gauge("judge_lag_commits", help, position.0.saturating_sub(judged))
    }

    fn nodes(&self, out: &mut Out<'_>) -> fmt::Result {
        if let Ok(nodes) = self.registry.nodes() {
            out.gauge("nodes_known", "Nodes that people have added", nodes.len() as u64)?;
        }
        let nodes = self.outlets.nodes.borrow();
        let count = |presence| nodes.values().filter(|node| node.presence == presence).count();
        let states = [
            ("online", count(Presence::Online) as u64),
            ("offline", count(Presence::Offline) as u64),
            ("unheard", count(Presence::Unknown) as u64),
        ];
        drop(nodes);
        let help = "Nodes that were ever born, by session; unheard since the gateway started";
        out.gauges("nodes", help, ["state"], states.map(|(state, count)| ([state], count)))
    }

    fn alarms(&self, out: &mut Out<'_>) -> fmt::Result {
        let Ok(open) = self.registry.open_alarms() else { return Ok(()) };
        let series = open.iter().map(|alarms| {
            let state = match (alarms.active, alarms.unacknowledged) {
                (true, true) => "active_unacknowledged",
                (true, false) => "active_acknowledged",
                (false, true) => "returned_unacknowledged",
                (false, false) => "returned_acknowledged",
            };
            ([alarms.severity.as_str(), state], alarms.count)
        });
        out.gauges("alarms_open", "Open alarms", ["severity", "state"], series)
    }

    fn deliveries(&self, out: &mut Out<'_>) -> fmt::Result {
        let Ok((waiting, failed)) = self.registry.delivery_counts() else { return Ok(()) };
        let help = "Messages of alarms that wait to be delivered, or were given up";
        out.gauges("deliveries", help, ["state"], [(["waiting"], waiting), (["failed"], failed)])
    }

    fn disk(&self, out: &mut Out<'_>) -> fmt::Result {
        let folder = self.reserve.folder();
        let file = series::file_in(folder);
        let readings = file.parent().map(|of| disk::bytes_in(&folder.join(of)));
        if let Some(Ok(bytes)) = readings {
            out.bytes("store", "Bytes of the readings on disk", bytes)?;
        }
        if let Ok(bytes) = disk::bytes_with_prefix(folder, registry::FILE) {
            out.bytes("registry", "Bytes of the registry on disk", bytes)?;
        }
        if let Ok(bytes) = disk::free_bytes(folder) {
            out.bytes("disk_free", "Bytes free on the disk of the data", bytes)?;
        }
        let present = u64::from(self.reserve.is_present());
        out.gauge("reserve_present", "Whether the reserve is there (1) or given up (0)", present)?;
        let stopped = u64::from(self.reserve.is_short());
        out.gauge("readings_stopped", "Whether readings wait in the nodes for room", stopped)?;
        let troubles = self.troubles.borrow().len() as u64;
        out.gauge("troubles", "Parts that do not work, as /api/v1/health names them", troubles)
    }

    fn process(&self, out: &mut Out<'_>) -> fmt::Result {
        if let Some(bytes) = resident_bytes() {
            out.bytes("process_resident_memory", "Memory of the process", bytes)?;
        }
        let started = ConstGauge::new(self.started.micros() as f64 / 1e6);
        let help = "When the process started, since 1970";
        let of = MetricType::Gauge;
        let seconds = Unit::Seconds;
        started.encode(out.0.encode_descriptor(
            "process_start_time",
            help,
            Some(&seconds),
            of,
        )?)?;
        let help = "The version that runs";
        let versions = [([env!("CARGO_PKG_VERSION")], 1)];
        out.gauges("build_info", help, ["version"], versions)
    }
}

/// Returns how much memory the process has in RAM.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

/// Writes metrics of the few shapes that there are.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(metric)
    }

    fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: [(&str, u64); N],
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn gauges<'s, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        values: impl IntoIterator<Item = ([&'s str; N], u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (of, value) in values {
            let labels: Vec<(&str, &str)> = labels.into_iter().zip(of).collect();
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn bytes(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let of = MetricType::Gauge;
        let metric = self.0.encode_descriptor(name, help, Some(&Unit::Bytes), of)?;
        ConstGauge::new(value).encode(metric)
    }

    fn histogram(&mut self, name: &str, help: &str, values: &Histogram) -> fmt::Result {
        let of = MetricType::Histogram;
        values.encode(self.0.encode_descriptor(name, help, Some(&Unit::Seconds), of)?)
    }
}
