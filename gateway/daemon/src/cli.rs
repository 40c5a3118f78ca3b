//! The command line: what can be asked, and nothing of how it is done.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use measure::{NodeKey, Slug};
use store::SeriesKey;

use crate::listen::Listen;

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
    /// Brings sites, zones, crops, nodes, accessions and batches to what a TOML file says; may be repeated.
    Apply(ApplyArgs),
    /// Adds or renews a node and prints its secret, once.
    #[command(subcommand)]
    Node(NodeCommand),
    /// Issues a bearer token for the HTTP interface and prints it, once.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Adds a user and prints a one-time password, once.
    #[command(subcommand)]
    User(UserCommand),
    /// Imports and exports accessions as MCPD v2.1 CSV.
    #[command(subcommand)]
    Germplasm(GermplasmCommand),
    /// Signs firmware for nodes, keeps it and offers it to them.
    #[command(subcommand)]
    Firmware(FirmwareCommand),
    /// Says how sensors read against a reference: what comes in stays as it was taken.
    #[command(subcommand)]
    Calibration(CalibrationCommand),
    /// Exports readings as CSV with a data dictionary and a checksum; with --study what batches lived
    /// through beside them.
    Export(ExportArgs),
    /// Publishes recorded readings over MQTT; they are judged as history.
    Replay(ReplayArgs),
    /// Lists, shows, takes again or drops messages that could not be understood.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Copies everything that a gateway cannot do without into a folder, while it runs.
    Backup(BackupArgs),
    /// Brings a backup into a new data folder: all of it or nothing.
    Restore(RestoreArgs),
    /// Looks after the store of readings.
    #[command(subcommand)]
    Store(StoreCommand),
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
    /// Address of the dashboard over TLS, or `off`; 127.0.0.1:8443 or a free port where absent.
    #[arg(long, value_name = "ADDR")]
    pub(crate) https: Option<Listen>,
    /// Address of the MQTT broker over TLS, or `off`; 127.0.0.1:8883 or a free port where absent.
    #[arg(long, value_name = "ADDR")]
    pub(crate) mqtts: Option<Listen>,
    /// Lets phones and nodes of the LAN in, over TLS: both on 0.0.0.0.
    #[arg(long)]
    pub(crate) lan: bool,
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
    /// A configuration file for the keys that no option here covers: `notify.*`.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
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
    /// Shows what a node is set to, or sets it; a running gateway sends it on.
    Settings(NodeSettingsArgs),
    /// Gives a node a new secret and writes the page of flash that tells it who it is.
    Provision(NodeProvisionArgs),
    /// Plays nodes over MQTT where no hardware is at hand, until Ctrl-C.
    Simulate(SimulateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NodeSettingsArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The node.
    #[arg(value_name = "SITE/NODE", value_parser = node_key)]
    pub(crate) node: NodeKey,
    /// Shows the settings (the default).
    #[arg(long, conflicts_with = "file")]
    pub(crate) show: bool,
    /// The new settings, in place of all from before.
    #[arg(long, value_name = "FILE.toml", requires = "why")]
    pub(crate) file: Option<PathBuf>,
    /// Why they change; kept in the record of changes.
    #[arg(long, value_name = "TEXT", requires = "file")]
    pub(crate) why: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NodeProvisionArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The node, which was added before. Its secret from before opens nothing any more.
    #[arg(value_name = "SITE/NODE", value_parser = node_key)]
    pub(crate) node: NodeKey,
    /// Where it connects, in this order: `host:port`, at most four.
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', required = true)]
    pub(crate) gateways: Vec<String>,
    /// How often it samples until it is set.
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Connects over TLS and trusts the authority of --ca.
    #[arg(long, requires = "ca")]
    pub(crate) tls: bool,
    /// The authority's certificate, as PEM: what the gateway's page for phones hands out.
    #[arg(long, value_name = "FILE.pem")]
    pub(crate) ca: Option<PathBuf>,
    /// The name of the Wi-Fi.
    #[arg(long, value_name = "NAME", requires = "wifi_password_file")]
    pub(crate) wifi_ssid: Option<String>,
    /// A file whose first line is the Wi-Fi's password.
    #[arg(long, value_name = "FILE", requires = "wifi_ssid")]
    pub(crate) wifi_password_file: Option<PathBuf>,
    /// The file to write; readable by its owner only, because the secret is in it.
    #[arg(long, value_name = "FILE.bin")]
    pub(crate) out: PathBuf,
}

fn node_key(text: &str) -> Result<NodeKey, String> {
    let key = text.split_once('/').and_then(|(site, node)| {
        Some(NodeKey { site: Slug::new(site).ok()?, node: Slug::new(node).ok()? })
    });
    key.ok_or_else(|| format!("`{text}` names no node; write SITE/NODE"))
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

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Address of the broker.
    #[arg(long, value_name = "ADDR")]
    pub(crate) mqtt: SocketAddr,
    /// Credentials of the nodes to play, a line `SITE/NODE SECRET` each.
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials: PathBuf,
    /// How often each node samples, such as `5s`, `500ms` or `2m`; from 6s on CO2 too, whose chip
    /// takes so long.
    #[arg(long, value_name = "SPAN", default_value = "5s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Folder of the nodes' flash, kept from one run to the next; without it a temporary one.
    #[arg(long, value_name = "DIR")]
    pub(crate) flash: Option<PathBuf>,
    /// Draws the weather.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
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

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Adds a user; the password must be changed at the first sign-in.
    Add(UserAddArgs),
}

#[derive(Debug, Args)]
pub(crate) struct UserAddArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The name to sign in with.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// What the user may do.
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: RoleName,
    /// Where the user is told of alarms.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// Which language comes first in messages: zh or en.
    #[arg(long, value_name = "LANGUAGE", default_value = "zh")]
    pub(crate) language: people::Language,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Reads every record of the store and names each fault with series, span and remedy; the
    /// gateway may be running.
    Check(StoreCheckArgs),
    /// Copies every reading into another store and proves that both hold the same; may be stopped
    /// and begun again. The gateway must not be running.
    Copy(StoreCopyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StoreCheckArgs {
    /// Folder of the data.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Computes anew what can be, and puts the rest aside into the table `quarantine`; nothing is
    /// deleted. The gateway must not be running.
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StoreCopyArgs {
    /// Where the readings are: a folder of data, whose file is meant, or a configuration file, whose
    /// `[store]` is.
    #[arg(long, value_name = "DIR|FILE.toml")]
    pub(crate) from: PathBuf,
    /// Where they go, named likewise; empty, or holding a part of the same.
    #[arg(long, value_name = "DIR|FILE.toml")]
    pub(crate) to: PathBuf,
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

#[derive(Debug, Subcommand)]
pub(crate) enum GermplasmCommand {
    /// Imports accessions and names every fault by row and field; one fault keeps the whole file out.
    Import(GermplasmImportArgs),
    /// Exports every accession.
    Export(GermplasmExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GermplasmImportArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The MCPD v2.1 file, in UTF-8.
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: PathBuf,
    /// Keeps all but the faulty rows.
    #[arg(long)]
    pub(crate) skip_faulty: bool,
    /// Only says what would happen.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GermplasmExportArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The CSV file.
    #[arg(short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FirmwareCommand {
    /// Draws a key pair: the private half goes into a file, the public one is printed.
    Key(FirmwareKeyArgs),
    /// Signs an image into a package.
    Sign(FirmwareSignArgs),
    /// Shows and checks a package.
    Show(FirmwareShowArgs),
    /// Keeps a package among the data, to be offered to nodes.
    Add(FirmwareAddArgs),
    /// Offers a release to a node, which decides whether it takes it.
    Offer(FirmwareOfferArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareKeyArgs {
    /// The file of the private half; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareSignArgs {
    /// The private key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// What the image is made for, such as mps2-an385.
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Slug,
    /// Counts up; nodes take only a greater one than theirs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) release: u32,
    /// The version for people, at most 16 bytes.
    #[arg(long, value_name = "V")]
    pub(crate) version: String,
    /// The image as it lies in flash.
    #[arg(long, value_name = "FILE")]
    pub(crate) image: PathBuf,
    /// The package.
    #[arg(long, value_name = "FILE.mpf")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareShowArgs {
    /// The package.
    #[arg(value_name = "FILE.mpf")]
    pub(crate) package: PathBuf,
    /// Fails unless this public key, 64 hexadecimal digits, has signed it.
    #[arg(long, value_name = "KEY", value_parser = crate::firmware::public)]
    pub(crate) public: Option<release::PublicKey>,
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareAddArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The package.
    #[arg(value_name = "FILE.mpf")]
    pub(crate) package: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct FirmwareOfferArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The node.
    #[arg(long, value_name = "SITE/NODE", value_parser = crate::firmware::node)]
    pub(crate) node: NodeKey,
    /// The release.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) release: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CalibrationCommand {
    /// Enters a calibration and says what it touches; a running gateway computes that again.
    Add(CalibrationAddArgs),
    /// Lists every version: what holds, what was replaced, what was withdrawn.
    List(CalibrationListArgs),
    /// Withdraws a version: it counts as if it had never been entered, and stays in the list.
    Withdraw(CalibrationWithdrawArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CalibrationAddArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The channel.
    #[arg(long, value_name = "SITE/NODE/POSITION/QUANTITY", value_parser = channel)]
    pub(crate) channel: SeriesKey,
    /// From when it holds (RFC 3339), until the next one of the channel does.
    #[arg(long, value_name = "T")]
    pub(crate) from: jiff::Timestamp,
    /// What is added to every reading, in the unit of the quantity.
    #[arg(
        long,
        value_name = "X",
        allow_hyphen_values = true,
        conflicts_with = "points",
        required_unless_present = "points"
    )]
    pub(crate) offset: Option<f64>,
    /// What the sensor said and what was true, in the unit of the quantity: one point makes an offset,
    /// two make a straight line.
    #[arg(
        long = "point",
        value_name = "RAW=REF",
        allow_hyphen_values = true,
        value_parser = point
    )]
    pub(crate) points: Vec<(f64, f64)>,
    /// With what it was measured, such as the number of a certificate.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) note: String,
    /// Who measured it.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}

fn channel(text: &str) -> Result<SeriesKey, String> {
    let refused = || format!("`{text}` names no channel; write SITE/NODE/POSITION/QUANTITY");
    let parts: Vec<&str> = text.split('/').collect();
    let [site, node, position, quantity] = parts.as_slice() else { return Err(refused()) };
    let slug = |name| Slug::new(name).map_err(|error| format!("`{name}` in `{text}`: {error}"));
    let quantity =
        quantity.parse().map_err(|error| format!("`{quantity}` in `{text}`: {error}"))?;
    let node = NodeKey { site: slug(site)?, node: slug(node)? };
    Ok(SeriesKey { node, position: slug(position)?, quantity })
}

fn point(text: &str) -> Result<(f64, f64), String> {
    let parts = text.split_once('=');
    let point = parts.and_then(|(raw, reference)| {
        Some((raw.trim().parse().ok()?, reference.trim().parse().ok()?))
    });
    point.ok_or_else(|| format!("`{text}` is no point; write RAW=REF, such as 4.12=4.01"))
}

#[derive(Debug, Args)]
pub(crate) struct CalibrationListArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Only this channel.
    #[arg(long, value_name = "SITE/NODE/POSITION/QUANTITY", value_parser = channel)]
    pub(crate) channel: Option<SeriesKey>,
}

#[derive(Debug, Args)]
pub(crate) struct CalibrationWithdrawArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The number of the calibration.
    #[arg(long, value_name = "N")]
    pub(crate) number: u32,
    /// Why it does not hold after all; kept in the record of changes.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Exports a study into a new folder: exposure by stage and day, batches, raw readings,
    /// accessions, dictionary and sums.
    #[arg(long)]
    pub(crate) study: bool,
    /// A batch of the study, as SITE/BATCH; may be repeated. Every batch where absent.
    #[arg(long = "batch", value_name = "SITE/BATCH", requires = "study")]
    pub(crate) batches: Vec<String>,
    /// The first time, included (RFC 3339). A study begins with its first batch where absent.
    #[arg(long, value_name = "T", required_unless_present = "study")]
    pub(crate) from: Option<jiff::Timestamp>,
    /// The last time, not included (RFC 3339). A study goes on until now, or until its last batch was
    /// closed, where absent.
    #[arg(long, value_name = "T", required_unless_present = "study")]
    pub(crate) to: Option<jiff::Timestamp>,
    /// The CSV file; FILE.dictionary.json and FILE.sha256 are written beside it. The folder of a study.
    #[arg(short, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Recorded readings with the columns time,site,node,quantity,position,unit,value, or others that
    /// --columns explains. An export is one.
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: PathBuf,
    /// Address of the broker.
    #[arg(long, value_name = "ADDR")]
    pub(crate) mqtt: SocketAddr,
    /// Credentials of the nodes in the file, a line `SITE/NODE SECRET` each.
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials: PathBuf,
    /// The zone of times that have no offset, such as Asia/Shanghai. The hour that a clock shows twice is
    /// told apart by the order of the rows.
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// Says what the columns of a file with many readings a row are: `time`, `format`, `time_zone` and
    /// a `[[series]]` for each with `column`, `site`, `node`, `quantity`, `position` and `unit`.
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) columns: Option<PathBuf>,
    /// The most readings a second; as fast as they are acknowledged where absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Lists them, newest first.
    List(LettersListArgs),
    /// Shows one with its bytes, or writes them to a file.
    Show(LettersShowArgs),
    /// Has them taken again by the running gateway, or by the next one that starts; what is in the
    /// store already is not stored twice.
    Replay(LettersArgs),
    /// Drops them for good.
    Drop(LettersArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LettersListArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The most to list.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct LettersShowArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Its number.
    #[arg(value_name = "NUMBER")]
    pub(crate) number: i64,
    /// The file to write its bytes to, in place of showing it.
    #[arg(short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LettersArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Their numbers.
    #[arg(value_name = "NUMBER", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) numbers: Vec<i64>,
    /// All of them.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Folder of the data; the gateway may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Folder of the backup, absent or empty; it has its name only when it is whole.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Folder of the backup.
    #[arg(value_name = "FOLDER")]
    pub(crate) from: PathBuf,
    /// Folder of the data, absent or empty.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

/// The shortest and the longest interval of a simulated node.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(3_600);

fn interval(text: &str) -> Result<Duration, String> {
    let digits = text.find(|found: char| !found.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no span such as 5s"))?;
    let ms = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        _ => return Err(format!("`{text}` must end in ms, s or m, such as 5s")),
    };
    let span = Duration::from_millis(ms.unwrap_or(u64::MAX));
    if (INTERVAL_MIN..=INTERVAL_MAX).contains(&span) {
        Ok(span)
    } else {
        Err(format!("`{text}` is not between {INTERVAL_MIN:?} and {INTERVAL_MAX:?}"))
    }
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
