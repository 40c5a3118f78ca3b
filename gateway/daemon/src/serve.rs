//! `miaopu serve`: the gateway of a real nursery.

use std::io::IsTerminal as _;

use crate::{
    cli::ServeArgs,
    clock::Clock,
    commands, config,
    failure::{Failure, OrFail},
    gateway::{self, Settings},
};

/// Runs until the process is told to stop.
pub(crate) fn run(arguments: &ServeArgs) -> Result<(), Failure> {
    let path = &arguments.config;
    let config = config::load(path).map_err(|faults| {
        Failure::Configuration(commands::told(&path.display().to_string(), &faults))
    })?;
    start_log(&config.log)?;
    let data = gateway::open(&config.data)?;
    gateway::introduce(&data.registry)?;
    let settings = Settings { http: config.http, broker: config.broker, demonstration: false };
    runtime()?.block_on(async {
        let gateway = gateway::start(settings, data, Clock::system()).await?;
        println!("ready http={} mqtt={}", gateway.http, gateway.mqtt);
        gateway.until_told_to_stop().await
    })
}

/// Logs to standard error; standard output belongs to what scripts read.
pub(crate) fn start_log(filter: &str) -> Result<(), Failure> {
    let filter = filter
        .parse::<tracing_subscriber::EnvFilter>()
        .or_data(format!("`{filter}` is no log filter"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(true)
        .try_init()
        .map_err(Failure::unavailable)
}

/// Makes the threads that everything runs on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_unavailable("cannot start the threads")
}
