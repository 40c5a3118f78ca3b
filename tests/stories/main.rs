//! The stories: what a person would see, told through real parts. One file a story.
#![expect(clippy::disallowed_methods, reason = "a story runs on the wall clock")]
#![expect(clippy::indexing_slicing, reason = "an absent key of JSON reads as null")]

mod backup;
mod calibrated;
mod commands;
mod demonstration;
mod foreign;
mod full_disk;
mod germplasm;
mod hostile;
mod hot_house;
mod image_update;
mod letters;
mod operation;
mod page;
mod recorded;
mod season;
mod study;
mod update;
mod watchdog;

use std::{process::ExitCode, time::Instant};

use anyhow::Result;

/// A story and its name, which is a claim.
type Story = (&'static str, fn() -> Result<()>);

const STORIES: [Story; 18] = [
    ("commands_name_what_is_wrong_and_exit_by_its_kind", commands::tell),
    ("a_recording_is_history_and_stored_once", recorded::tell),
    ("a_recorded_season_with_all_its_faults_comes_out_as_it_went_in", season::tell),
    ("what_is_not_understood_is_listed_taken_again_and_dropped", letters::tell),
    ("a_late_calibration_changes_what_it_touches_and_nothing_else", calibrated::tell),
    ("a_study_holds_what_its_raw_readings_say", study::tell),
    ("a_passport_file_is_kept_but_for_its_faulty_rows", germplasm::tell),
    ("a_hot_bench_reaches_a_person_who_acknowledges_it", hot_house::tell),
    ("garbage_and_strangers_are_refused_and_the_flow_goes_on", hostile::tell),
    ("a_gateway_is_watched_from_outside_and_tells_no_secret", operation::tell),
    ("a_backup_under_load_is_restored_to_the_same_bytes", backup::tell),
    ("a_full_disk_is_told_answered_and_loses_nothing", full_disk::tell),
    ("a_foreign_gateway_decodes_every_frame_of_the_image", foreign::gateway),
    ("a_foreign_node_is_accepted_by_the_contract_alone", foreign::node),
    ("a_node_is_updated_though_chunks_and_the_gateway_are_lost", update::update),
    ("a_signed_image_comes_in_through_power_cuts_and_a_bad_one_goes_back", image_update::tell),
    ("a_node_whose_sampling_hangs_is_started_again", watchdog::tell),
    ("the_demonstration_raises_and_clears_one_alarm", demonstration::tell),
];

fn main() -> ExitCode {
    // Parts of names; with `--but` before them all others.
    let mut parts: Vec<String> = std::env::args().skip(1).collect();
    let others = parts.first().is_some_and(|first| first == "--but");
    parts.drain(..usize::from(others));
    let (mut passed, mut failed) = (0, 0);
    for (name, tell) in STORIES {
        let is_named = parts.iter().any(|part| name.contains(part.as_str()));
        if !parts.is_empty() && is_named == others {
            continue;
        }
        let began = Instant::now();
        match tell() {
            Ok(()) => {
                passed += 1;
                println!("story {name} ... ok, {} s", began.elapsed().as_secs());
            }
            Err(error) => {
                failed += 1;
                println!("story {name} ... FAILED, {} s", began.elapsed().as_secs());
                println!("  {error:#}");
            }
        }
    }
    println!("stories: {passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
