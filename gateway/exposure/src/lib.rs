//! The join of series × placement × stage: what a batch lived through. Pure over a `Store`.
