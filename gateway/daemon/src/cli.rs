//! The command line: what can be asked, and nothing of how it is done.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use measure::Slug;

/// Where the demonstration keeps its data unless `--data` says otherwise.
pub(crate) const DEMONSTRATION_DATA: &str = "miaopu-data";

/// Miaopu 苗圃 watches seedling nurseries and the germplasm behind them.
#[derive(Debug, Parser)]
#[command(name = "miaopu", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) demo: DemoArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs everything with a demonstration nursery of five houses (the default).
    Demo(DemoArgs),
    /// Runs the gateway of a real nursery.
    Serve(ServeArgs),
    /// Checks a configuration file and names every fault with its key.
    Check(CheckArgs),
    /// Brings sites, zones, crops, stages and nodes to what a TOML file says; may be repeated.
    Apply(ApplyArgs),
    /// Adds or renews a node and prints its secret, once.
    #[command(subcommand)]
    Node(NodeCommand),
    /// Issues a bearer token for the HTTP interface and prints it, once.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Exports readings as CSV with a data dictionary and a checksum.
    Export(ExportArgs),
    /// Publishes recorded readings over MQTT; they are judged as history.
    Replay(ReplayArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Folder of the data.
    #[arg(long, value_name = "DIR", default_value = DEMONSTRATION_DATA)]
    pub(crate) data: PathBuf,
    /// Address of the dashboard; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) http: SocketAddr,
    /// Address of the MQTT broker; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1883")]
    pub(crate) mqtt: SocketAddr,
    /// How many times faster than the wall the clock of nodes and gateway runs (1 to 600).
    #[arg(long, value_name = "N", default_value_t = 30.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Draws the weather, and which house's mist valve fails.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// A fault on demand, such as `house=2,kind=stuck,after=60s`; may be repeated.
    #[arg(long = "fault", value_name = "FAULT", conflicts_with = "no_faults")]
    pub(crate) faults: Vec<host::fault::FaultPlan>,
    /// Lets nothing fail.
    #[arg(long)]
    pub(crate) no_faults: bool,
    /// Starts with an empty nursery: no houses, no nodes.
    #[arg(long)]
    pub(crate) empty: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration file; `miaopu check --explain` shows every key.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", required_unless_present = "explain")]
    pub(crate) config: Option<PathBuf>,
    /// Prints a configuration with every key, its default and what it means.
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Folder of the data.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The plan.
    #[arg(value_name = "FILE.toml")]
    pub(crate) plan: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Adds a node and prints its credentials line `SITE/NODE SECRET`; a known node gets a new secret.
    Add(NodeAddArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NodeAddArgs {
    /// Folder of the data.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The site.
    #[arg(long, value_name = "S")]
    pub(crate) site: Slug,
    /// The node, unique in its site.
    #[arg(long, value_name = "N")]
    pub(crate) node: Slug,
    /// The zone it stands in.
    #[arg(long, value_name = "Z")]
    pub(crate) zone: Slug,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issues a token.
    New(TokenNewArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TokenNewArgs {
    /// Folder of the data.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// What the token is for; shown in lists and in the audit.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// What its bearer may do.
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: RoleName,
}

/// A role on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RoleName {
    Viewer,
    Technician,
    Grower,
    Researcher,
    Admin,
}

impl From<RoleName> for people::Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Technician => Self::Technician,
            RoleName::Grower => Self::Grower,
            RoleName::Researcher => Self::Researcher,
            RoleName::Admin => Self::Admin,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The first time, included (RFC 3339).
    #[arg(long, value_name = "T")]
    pub(crate) from: jiff::Timestamp,
    /// The last time, not included (RFC 3339).
    #[arg(long, value_name = "T")]
    pub(crate) to: jiff::Timestamp,
    /// The CSV file; FILE.dictionary.json and FILE.sha256 are written beside it.
    #[arg(short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Recorded readings with the columns time,site,node,quantity,position,unit,value.
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: PathBuf,
    /// Address of the broker.
    #[arg(long, value_name = "ADDR")]
    pub(crate) mqtt: SocketAddr,
    /// Credentials of the nodes in the file, a line `SITE/NODE SECRET` each.
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials: PathBuf,
    /// The most readings a second; as fast as they are acknowledged where absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
}

/// The fastest clock of a demonstration.
const SPEED_MAX: f64 = 600.0;

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (1.0..=SPEED_MAX).contains(&speed) {
        Ok(speed)
    } else {
        Err(format!("`{text}` is not between 1 and {SPEED_MAX}"))
    }
}
