//! The commands that work on the data while the gateway runs, or without it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use export::{Corrections, Digest, Progress, Request};
use indicatif::{ProgressBar, ProgressStyle};
use measure::{NodeKey, Slug, Timestamp};
use people::{Actor, Contact, EmailAddress, UserName};
use registry::Registry;

use crate::{
    calibrations::open_calibrated,
    cli::{ApplyArgs, CheckArgs, ExportArgs, NodeAddArgs, TokenNewArgs, UserAddArgs},
    clock::Clock,
    config::{self, Fault},
    failure::{Failure, OrFail},
    plan::{self, Existing},
};

/// Opens the registry of a data folder, making both where they are absent.
pub(crate) fn open_registry(data: &Path) -> Result<Registry, Failure> {
    let what = || format!("cannot open the data folder `{}`", data.display());
    fs::create_dir_all(data).or_unavailable(what())?;
    Registry::open(&data.join(registry::FILE)).or_unavailable(what())
}

/// Opens the registry of a data folder that must be there.
pub(crate) fn open_existing_registry(data: &Path) -> Result<Registry, Failure> {
    if data.join(registry::FILE).is_file() {
        return open_registry(data);
    }
    Err(Failure::unavailable(format!(
        "there is no data in `{}`; start with `miaopu apply --data DIR FILE.toml`",
        data.display()
    )))
}

/// Checks a configuration, or explains every key.
pub(crate) fn check(arguments: &CheckArgs) -> Result<(), Failure> {
    if arguments.explain {
        print!("{}", config::explain());
    }
    let Some(path) = &arguments.config else { return Ok(()) };
    let config = config::load(path)
        .map_err(|faults| Failure::Configuration(told(&path.display().to_string(), &faults)))?;
    println!("`{}` is right: {config:#?}", path.display());
    Ok(())
}

/// Puts faults into one error, a line each.
pub(crate) fn told(file: &str, faults: &[Fault]) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    let count = match faults.len() {
        1 => "1 fault".to_owned(),
        count => format!("{count} faults"),
    };
    anyhow::anyhow!("`{file}` has {count}:\n{}", lines.join("\n"))
}

/// Brings the nursery to what a plan says, all of it or nothing.
pub(crate) fn apply(arguments: &ApplyArgs) -> Result<(), Failure> {
    let path = &arguments.plan;
    let what = format!("cannot read `{}`", path.display());
    let text = fs::read_to_string(path).or_unavailable(what)?;
    let profiles = seeds::profiles().or_unavailable("cannot read the crop profiles")?;
    let registry = open_registry(&arguments.data)?;
    let reading = "cannot read the registry";
    let sites = registry.sites().or_unavailable(reading)?;
    let zones = registry.zones().or_unavailable(reading)?;
    let existing = Existing {
        sites: sites.into_iter().map(|site| site.id).collect(),
        zones: zones.into_iter().map(|zone| (zone.site, zone.id)).collect(),
        accessions: registry
            .passports()
            .or_unavailable(reading)?
            .iter()
            .map(germplasm::Passport::key)
            .collect(),
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let read = |name: &str| {
        let file = folder.join(name);
        crate::germplasm::read(&file)
            .map_err(|error| format!("cannot read `{}`: {error}", file.display()))
    };
    let plan = plan::parse(&text, &profiles, &existing, &read)
        .map_err(|faults| Failure::Data(told(&path.display().to_string(), &faults)))?;
    let applied = registry
        .apply(&plan, &Actor::CommandLine, Clock::system().now())
        .or_data(format!("cannot apply `{}`", path.display()))?;
    for (sheet, _) in &plan.germplasm {
        crate::germplasm::tell(sheet);
    }
    println!("{applied}");
    Ok(())
}

/// Adds a node and prints its credentials line, once.
pub(crate) fn add_node(arguments: &NodeAddArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let key = NodeKey { site: arguments.site.clone(), node: arguments.node.clone() };
    let secret = registry
        .add_node(&key, &arguments.zone, &Actor::CommandLine, Clock::system().now())
        .or_data(format!("cannot add the node {key}"))?;
    eprintln!(
        "The line below is the node's credentials. It is shown once: only its hash is kept.\n\
         MQTT user name: {key}; password: the word after it."
    );
    println!("{key} {}", secret.reveal());
    Ok(())
}

/// Adds a user and prints a one-time password, once.
pub(crate) fn add_user(arguments: &UserAddArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let name = UserName::new(arguments.name.clone())
        .map_err(|error| Failure::usage(format!("--name `{}`: {error}", arguments.name)))?;
    let email = arguments.email.as_deref().map(EmailAddress::new).transpose();
    let email = email.map_err(|error| Failure::usage(format!("--email: {error}")))?;
    let contact = Contact { email, language: arguments.language, wakes: true };
    let (by, now) = (Actor::CommandLine, Clock::system().now());
    let password = registry
        .invite(&name, arguments.role.into(), &contact, &by, now)
        .or_data(format!("cannot add the user `{name}`"))?;
    eprintln!(
        "The line below is the one-time password of `{name}`. It is shown once: only its hash is \
         kept. It must be changed after signing in."
    );
    println!("{}", password.reveal());
    Ok(())
}

/// Issues a bearer token and prints it, once.
pub(crate) fn new_token(arguments: &TokenNewArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let name = UserName::new(arguments.name.clone())
        .map_err(|error| Failure::usage(format!("--name `{}`: {error}", arguments.name)))?;
    let secret = registry
        .add_token(&name, arguments.role.into(), &Actor::CommandLine, Clock::system().now())
        .or_data(format!("cannot issue the token `{name}`"))?;
    eprintln!("The token below is shown once: only its hash is kept.");
    println!("{}", secret.reveal());
    Ok(())
}

/// Exports readings into FILE, FILE.dictionary.json and FILE.sha256: all three or none.
pub(crate) fn export(arguments: &ExportArgs) -> Result<(), Failure> {
    let (Some(from), Some(to)) = (arguments.from, arguments.to) else {
        return Err(Failure::usage("--from and --to are needed"));
    };
    let request = Request { from: time(from)?, to: time(to)? };
    if request.from >= request.to {
        return Err(Failure::usage(format!("--from {from} must come before --to {to}")));
    }
    let registry = open_existing_registry(&arguments.data)?;
    let zones: BTreeMap<NodeKey, Option<Slug>> = registry
        .nodes()
        .or_unavailable("cannot read the registry")?
        .into_iter()
        .map(|node| (node.key, node.zone))
        .collect();
    let store = open_calibrated(&arguments.data, &registry)?;
    let corrections =
        api::corrections(&registry, &store).or_unavailable("cannot read the registry")?;
    let output = &arguments.output;
    let files = Files::beside(output);
    let result =
        write(&files, &store, &corrections, request, &|node| zones.get(node).cloned().flatten());
    if result.is_err() {
        files.remove_partial();
    }
    let rows = result.or_unavailable(format!("cannot export to `{}`", output.display()))?;
    eprintln!("{rows} readings in `{}`", output.display());
    Ok(())
}

pub(crate) fn time(at: jiff::Timestamp) -> Result<Timestamp, Failure> {
    Timestamp::from_micros(at.as_microsecond())
        .ok_or_else(|| Failure::usage(format!("{at} does not lie between 1970 and 9999")))
}

fn write(
    files: &Files,
    store: &dyn store::Store,
    corrections: &Corrections,
    request: Request,
    zone_of: &dyn Fn(&NodeKey) -> Option<Slug>,
) -> anyhow::Result<u64> {
    let bar = progress_bar()?;
    let mut out = Digest::new(BufWriter::new(File::create(files.partial(&files.rows))?));
    let summary =
        export::write_rows(store, corrections, request, zone_of, &mut out, &mut |progress| {
            show(&bar, progress);
        })?;
    bar.finish_and_clear();
    let (out, rows_sum, _) = out.finish();
    out.into_inner()?.sync_all()?;

    let mut out = Digest::new(File::create(files.partial(&files.dictionary))?);
    serde_json::to_writer_pretty(&mut out, &export::dictionary(&summary, corrections, &rows_sum))?;
    out.write_all(b"\n")?;
    let (out, dictionary_sum, _) = out.finish();
    out.sync_all()?;

    let sums = format!(
        "{rows_sum}  {}\n{dictionary_sum}  {}\n",
        Files::name(&files.rows),
        Files::name(&files.dictionary)
    );
    fs::write(files.partial(&files.sums), sums)?;
    for file in [&files.rows, &files.dictionary, &files.sums] {
        fs::rename(files.partial(file), file)?;
    }
    Ok(summary.rows)
}

fn progress_bar() -> anyhow::Result<ProgressBar> {
    let style =
        ProgressStyle::with_template("{bar:40} series {pos}/{len}, {msg} readings, {eta} left")?;
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.series as u64);
    bar.set_position(progress.series_done as u64);
    bar.set_message(progress.rows.to_string());
}

/// The three files of an export. Each is written under another name first.
struct Files {
    rows: PathBuf,
    dictionary: PathBuf,
    sums: PathBuf,
}

impl Files {
    fn beside(rows: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = rows.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self { rows: rows.to_owned(), dictionary: with(".dictionary.json"), sums: with(".sha256") }
    }

    fn partial(&self, file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(".partial");
        PathBuf::from(name)
    }

    fn name(file: &Path) -> String {
        file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn remove_partial(&self) {
        for file in [&self.rows, &self.dictionary, &self.sums] {
            // One that was never made is not there to be removed.
            if let Err(error) = fs::remove_file(self.partial(file))
                && error.kind() != std::io::ErrorKind::NotFound
            {
                eprintln!("cannot remove `{}`: {error}", self.partial(file).display());
            }
        }
    }
}
