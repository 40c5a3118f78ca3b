//! The contract, kept.

use super::*;

#[test]
fn the_engine_keeps_the_contract() {
    let mut dirs = Vec::new();
    crate::conformance::run(|| {
        dirs.push(directory());
        Box::new(open(dirs.last().unwrap()))
    });
}
