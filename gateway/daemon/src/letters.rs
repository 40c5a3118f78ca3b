//! `miaopu dead-letters`: messages that could not be understood are listed, shown, taken again and
//! dropped, whether the gateway runs or not.
//!
//! To be taken again a letter is marked in the registry; the running gateway finds the mark within
//! seconds and puts the letter through the same steps as a message from the broker, so that a reading
//! that is in the store already is not stored twice.

use std::{collections::BTreeSet, fmt::Write as _, fs, io::Write as _, time::Duration};

use measure::Timestamp;
use people::Actor;
use registry::{KeptLetter, LetterState, Registry, WhichLetters};

use crate::{
    cli::{DeadLettersCommand, LettersArgs, LettersListArgs, LettersShowArgs},
    clock::Clock,
    commands::open_existing_registry,
    failure::{Failure, OrFail},
};

/// How often `replay` looks what became of the letters; a gateway that runs takes some every second.
const LOOK: Duration = Duration::from_millis(200);
/// After how many looks it leaves them to the gateway.
const LOOKS_MAX: u32 = 50;
/// The bytes in a line of `show`.
const BYTES_A_LINE: usize = 16;

/// Runs one of the commands.
pub(crate) fn run(command: &DeadLettersCommand) -> Result<(), Failure> {
    match command {
        DeadLettersCommand::List(arguments) => list(arguments),
        DeadLettersCommand::Show(arguments) => show(arguments),
        DeadLettersCommand::Replay(arguments) => replay(arguments),
        DeadLettersCommand::Drop(arguments) => discard(arguments),
    }
}

fn list(arguments: &LettersListArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let reading = "cannot read the dead letters";
    let letters = registry.dead_letters(arguments.limit as usize).or_unavailable(reading)?;
    let (kept, dropped) = registry.count_dead_letters().or_unavailable(reading)?;
    let mut out = String::from("number\treceived\tstate\tbytes\ttopic\treason\n");
    for it in &letters {
        let KeptLetter { number, letter, bytes, state, .. } = it;
        let (at, state) = (in_words(letter.received), state.name());
        let (topic, reason) = (printable(&letter.topic), printable(&letter.reason));
        let cut = if it.is_whole() { "" } else { " (cut)" };
        out += &format!("{number}\t{at}\t{state}\t{bytes}{cut}\t{topic}\t{reason}\n");
    }
    out += &format!("{} of {kept} shown; {dropped} dropped for newer ones\n", letters.len());
    print(&out)
}

fn show(arguments: &LettersShowArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let kept = registry.dead_letter(arguments.number).or_unavailable("cannot read the letter")?;
    let Some(kept) = kept else { return Err(unknown(arguments.number)) };
    if let Some(path) = &arguments.output {
        return fs::write(path, &kept.letter.payload)
            .or_unavailable(format!("cannot write `{}`", path.display()));
    }
    let letter = &kept.letter;
    let mut out = format!(
        "number: {}\nreceived: {}\nstate: {}\ntopic: {}\nreason: {}\nbytes: {}\n",
        kept.number,
        in_words(letter.received),
        kept.state.name(),
        printable(&letter.topic),
        printable(&letter.reason),
        kept.bytes,
    );
    if let Some(tried) = kept.tried {
        out += &format!("tried: {}\n", in_words(tried));
    }
    if !kept.is_whole() {
        out += &format!("kept: {} bytes; it can't be taken again\n", letter.payload.len());
    }
    for line in letter.payload.chunks(BYTES_A_LINE) {
        for byte in line {
            write!(out, "{byte:02x} ").or_unavailable("cannot write a line")?;
        }
        out.push('\n');
    }
    print(&out)
}

fn replay(arguments: &LettersArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let mut asked = 0;
    for which in which(arguments) {
        asked += registry
            .ask_for_replay(which, &Actor::CommandLine, Clock::system().now())
            .or_data("cannot ask for a dead letter to be taken again")?;
    }
    if asked == 0 {
        println!("there is no dead letter that can be taken again");
        return Ok(());
    }
    // The gateway may have taken some already; those that were named are told of all the same.
    let mut meant: BTreeSet<i64> = arguments.numbers.iter().copied().collect();
    for look in 0.. {
        let waiting = waiting(&registry)?;
        let waiting: Vec<i64> =
            waiting.into_iter().filter(|it| arguments.all || meant.contains(it)).collect();
        meant.extend(&waiting);
        if waiting.is_empty() {
            break;
        }
        if look == LOOKS_MAX {
            println!(
                "{} of {asked} wait: a running gateway takes them, else the next one that starts",
                waiting.len()
            );
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    report(&registry, &meant)
}

fn waiting(registry: &Registry) -> Result<Vec<i64>, Failure> {
    let asked = registry.dead_letters_asked(registry::DEAD_LETTERS_MAX);
    let asked = asked.or_unavailable("cannot read the dead letters")?;
    Ok(asked.iter().map(|it| it.number).collect())
}

/// Says what became of letters that were taken again.
fn report(registry: &Registry, meant: &BTreeSet<i64>) -> Result<(), Failure> {
    let (mut stored, mut refused) = (0, 0);
    for &number in meant {
        let kept = registry.dead_letter(number).or_unavailable("cannot read the dead letters")?;
        match kept.map(|it| (it.state, it.letter.reason)) {
            Some((LetterState::Replayed, _)) => stored += 1,
            Some((LetterState::Refused, reason)) => {
                refused += 1;
                println!("{number} is still not understood: {}", printable(&reason));
            }
            // Taken up by somebody else, or dropped meanwhile.
            Some((LetterState::Kept | LetterState::Asked, _)) | None => {}
        }
    }
    println!("{stored} taken into the store, {refused} not");
    if refused > 0 {
        return Err(Failure::data(format!(
            "{refused} dead letters are still not understood; drop them where nothing can be done"
        )));
    }
    Ok(())
}

fn discard(arguments: &LettersArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let mut dropped = 0;
    for which in which(arguments) {
        dropped += registry
            .drop_dead_letters(which, &Actor::CommandLine, Clock::system().now())
            .or_data("cannot drop a dead letter")?;
    }
    println!("{dropped} dead letters dropped");
    Ok(())
}

/// Returns the letters that are meant; the command line has seen to it that numbers or `--all` stand.
fn which(arguments: &LettersArgs) -> Vec<WhichLetters> {
    if arguments.all {
        return vec![WhichLetters::All];
    }
    arguments.numbers.iter().copied().map(WhichLetters::One).collect()
}

fn unknown(number: i64) -> Failure {
    Failure::data(format!("there is no dead letter {number}; `miaopu dead-letters list` shows all"))
}

/// What came from anywhere is printed without what moves a terminal's cursor or breaks a table.
fn printable(text: &str) -> String {
    text.chars().map(|found| if found.is_control() { '\u{fffd}' } else { found }).collect()
}

fn in_words(time: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(time.micros())
        .map_or_else(|_| time.micros().to_string(), |time| time.to_string())
}

/// Prints at once, and takes a reader that went away (`| head`) for no failure.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).or_unavailable("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_anywhere_does_not_move_the_cursor() {
        assert_eq!(printable("a\u{1b}[2J\tb\n苗"), "a\u{fffd}[2J\u{fffd}b\u{fffd}苗");
    }
}
