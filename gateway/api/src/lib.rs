//! HTTP, event stream and sign-in. Owns the JSON types and their TypeScript.
//!
//! No rule of the nursery is judged here and no table is written but through `registry`.
pub mod types;
pub mod typescript;
