//! The two buses of the node: one of QEMU's machine, one made up.

pub(crate) mod sbcon;
pub(crate) mod simulated;
