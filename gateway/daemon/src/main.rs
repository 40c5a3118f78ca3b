//! `miaopu`: reads the command line, runs one command, and turns its failure into an exit code.

mod backup;
mod calibrations;
mod cli;
mod climate;
mod clock;
mod commander;
mod commands;
mod config;
mod credentials;
mod demo;
mod disk;
mod failure;
mod firmware;
mod gateway;
mod germplasm;
mod inspect;
mod judge;
mod lan;
mod letters;
mod listen;
mod manifest;
mod messages;
mod metrics;
mod nodes;
mod notice;
mod picture;
mod plan;
mod ports;
mod provision;
mod readers;
mod refine;
mod replay;
mod reserve;
mod retention;
mod series;
mod serve;
mod simulate;
mod store_check;
mod store_copy;
mod study;
mod supervisor;
mod watched;

use std::process::ExitCode;

use clap::{Parser as _, error::ErrorKind};

use cli::{Cli, Command, GermplasmCommand, NodeCommand, StoreCommand, TokenCommand, UserCommand};
use failure::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for =
                matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if error.print().is_err() {
                return ExitCode::from(69);
            }
            return ExitCode::from(if asked_for { 0 } else { 64 });
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("miaopu: {:#}", failure.error());
            failure.code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command.unwrap_or(Command::Demo(cli.demo)) {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Check(arguments) => commands::check(&arguments),
        Command::Apply(arguments) => commands::apply(&arguments),
        Command::Node(NodeCommand::Add(arguments)) => commands::add_node(&arguments),
        Command::Node(NodeCommand::Settings(arguments)) => provision::settings(&arguments),
        Command::Node(NodeCommand::Provision(arguments)) => provision::provision(&arguments),
        Command::Node(NodeCommand::Simulate(arguments)) => simulate::run(&arguments),
        Command::Token(TokenCommand::New(arguments)) => commands::new_token(&arguments),
        Command::User(UserCommand::Add(arguments)) => commands::add_user(&arguments),
        Command::Store(StoreCommand::Check(arguments)) => store_check::check(&arguments),
        Command::Store(StoreCommand::Copy(arguments)) => store_copy::copy(&arguments),
        Command::Germplasm(GermplasmCommand::Import(arguments)) => germplasm::import(&arguments),
        Command::Germplasm(GermplasmCommand::Export(arguments)) => germplasm::export(&arguments),
        Command::Firmware(command) => firmware::run(&command),
        Command::Calibration(command) => calibrations::run(&command),
        Command::Export(arguments) if arguments.study => study::export(&arguments),
        Command::Export(arguments) => commands::export(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::DeadLetters(command) => letters::run(&command),
        Command::Backup(arguments) => backup::backup(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
    }
}
