//! The time series in an InfluxDB 2, behind the same [`Store`](::store::Store) as on one machine.
//!
//! A commit is durable in an engine of our own, in a local folder, before it returns: repeats are
//! dropped and times made unique there, whether the server can be reached or not. A thread of this
//! room ships what was committed as line protocol, and notes how far it came. The youngest days stay
//! in the folder, as far as they fit; what is older is read from the server, joined with what has
//! not been shipped yet. `docs/influxdb.md` says what the server is asked to keep and how.
//!
//! Not here: retention, which is the bucket's, and any judgement of a sample.

mod csv;
mod error;
mod fill;
mod flux;
mod line;
mod note;
mod read;
mod server;
mod ship;
#[cfg(feature = "standin")]
#[doc(hidden)]
pub mod standin;
mod store;
mod wait;

pub use error::{Error, Trouble};
pub use line::{MEASUREMENT, encode};
pub use server::{Target, Token};
pub use ship::{BODY_LINES_MAX, Shipping};
pub use store::{Influx, LOCAL_BYTES_MAX, Options};

#[doc(hidden)]
pub use csv::{Reader as CsvReader, Row as CsvRow};
#[doc(hidden)]
pub use flux::{
    buckets as flux_buckets, first as flux_first, known as flux_known, page as flux_page,
};

/// Writes lines of line protocol in microseconds as they are shipped, to try a server out.
///
/// # Errors
/// What the server says.
pub async fn write_once(target: Target, lines: &[u8]) -> Result<(), Error> {
    server::Server::write_once(target, lines).await
}
