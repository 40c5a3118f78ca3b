//! `miaopu serve`: the gateway of a real nursery.

use std::io::IsTerminal as _;

use crate::{
    cli::ServeArgs,
    clock::Clock,
    commands,
    config::{self, LogFormat},
    failure::{Failure, OrFail},
    gateway::{self, Settings},
    supervisor::Supervisor,
};

/// Runs until the process is told to stop.
pub(crate) fn run(arguments: &ServeArgs) -> Result<(), Failure> {
    let path = &arguments.config;
    let config = config::load(path).map_err(|faults| {
        Failure::Configuration(commands::told(&path.display().to_string(), &faults))
    })?;
    start_log(&config.log, config.log_format)?;
    let supervisor = Supervisor::of_this_process();
    let data = gateway::open(&config.data, &config.backend)?;
    gateway::introduce(&data.registry)?;
    let settings = Settings {
        data: config.data,
        http: config.http,
        https: config.https,
        broker: config.broker,
        messages: config.messages,
        thresholds: config.thresholds,
        keep: config.keep,
        demonstration: false,
    };
    runtime()?.block_on(async {
        let gateway = gateway::start(settings, data, Clock::system()).await?;
        println!("ready {}", gateway.doors);
        supervisor.ready();
        let stop = gateway.stop.clone();
        let told = async {
            supervisor.keep_alive(&stop).await;
            stop.cancelled().await;
            supervisor.stopping();
        };
        tokio::join!(gateway.until_told_to_stop(), told).0
    })
}

/// Logs to standard error; standard output belongs to what scripts read.
pub(crate) fn start_log(filter: &str, format: LogFormat) -> Result<(), Failure> {
    let filter = filter
        .parse::<tracing_subscriber::EnvFilter>()
        .or_data(format!("`{filter}` is no log filter"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(true);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().with_current_span(false).with_span_list(false).try_init(),
    }
    .map_err(Failure::unavailable)
}

/// Returns the log filter that `MIAOPU_LOG` asks for, or the one given.
pub(crate) fn filter_or(filter: &str) -> String {
    std::env::var("MIAOPU_LOG").unwrap_or_else(|_| filter.to_owned())
}

/// Returns the log format that `MIAOPU_LOG_FORMAT` asks for, or text.
pub(crate) fn format_or_text() -> Result<LogFormat, Failure> {
    let Ok(name) = std::env::var("MIAOPU_LOG_FORMAT") else { return Ok(LogFormat::Text) };
    LogFormat::named(&name).ok_or_else(|| {
        Failure::usage(format!("MIAOPU_LOG_FORMAT is `{name}`; it must be `text` or `json`"))
    })
}

/// Waits until somebody asks the process to end, by Ctrl-C or as a supervisor does.
pub(crate) async fn told_to_stop() -> Result<(), Failure> {
    let what = "cannot listen for signals";
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .or_unavailable(what)?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked.or_unavailable(what),
        _ = terminated.recv() => Ok(()),
    }
}

/// Makes the threads that everything runs on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_unavailable("cannot start the threads")
}
