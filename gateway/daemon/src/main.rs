//! `miaopu`: reads the command line, runs one command, and turns its failure into an exit code.

mod cli;
mod clock;
mod commands;
mod config;
mod credentials;
mod demo;
mod failure;
mod gateway;
mod judge;
mod picture;
mod plan;
mod ports;
mod replay;
mod serve;

use std::process::ExitCode;

use clap::{Parser as _, error::ErrorKind};

use cli::{Cli, Command, NodeCommand, TokenCommand};
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
        Command::Token(TokenCommand::New(arguments)) => commands::new_token(&arguments),
        Command::Export(arguments) => commands::export(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
    }
}
