//! Where the readings of a data folder are, and how they are opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::types::Name;
use influx::{Influx, Shipping, Trouble};
use store::Store;
use store::embedded::{self, Engine};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::config::Backend;
use crate::failure::{Failure, OrFail};

/// The folder of the file store, in the folder of the data.
pub(crate) const STORE_FOLDER: &str = "store";
/// The folder of what stands in front of an InfluxDB.
pub(crate) const INFLUX_FOLDER: &str = "influx";

/// The store of a running gateway.
pub(crate) enum Series {
    /// A file of this machine.
    Embedded(Arc<Engine>),
    /// An InfluxDB.
    Influx(Arc<Influx>),
}

impl Series {
    /// Returns the store, whatever its kind.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(engine) => Arc::clone(engine) as Arc<dyn Store>,
            Self::Influx(influx) => Arc::clone(influx) as Arc<dyn Store>,
        }
    }
}

/// Opens the readings of a gateway for writing.
///
/// # Errors
/// Where they can't be opened, or the folder holds readings that another kind of store has kept.
pub(crate) fn open(data: &Path, backend: &Backend) -> Result<Series, Failure> {
    let (here, other) = match backend {
        Backend::Embedded => (STORE_FOLDER, INFLUX_FOLDER),
        Backend::Influx(_) => (INFLUX_FOLDER, STORE_FOLDER),
    };
    let left = data.join(other);
    if left.join(embedded::FILE).exists() {
        return Err(Failure::unavailable(format!(
            "`{}` holds readings that `store.kind` does not name: name it, or bring them over with \
             `miaopu store copy` and move that folder away (docs/influxdb.md)",
            left.display()
        )));
    }
    open_for_copy(&data.join(here), backend)
}

/// Opens a folder of readings for writing, whatever else lies beside it.
pub(crate) fn open_for_copy(folder: &Path, backend: &Backend) -> Result<Series, Failure> {
    match backend {
        Backend::Embedded => {
            let engine = Engine::open(folder, embedded::Options::default())
                .or_unavailable(format!("cannot open the store `{}`", folder.display()))?;
            Ok(Series::Embedded(Arc::new(engine)))
        }
        Backend::Influx(settings) => {
            let target = settings.target().map_err(|error| {
                Failure::Configuration(anyhow::anyhow!("{error}; see docs/influxdb.md"))
            })?;
            let influx = Influx::open(folder, target, influx::Options::default())
                .or_unavailable(format!("cannot open the store `{}`", folder.display()))?;
            Ok(Series::Influx(Arc::new(influx)))
        }
    }
}

/// Opens the file of a data folder for reading; a gateway may be running.
///
/// # Errors
/// Where there is none, or the readings are in an InfluxDB.
pub(crate) fn open_read_only(data: &Path) -> Result<Engine, Failure> {
    let folder = data.join(STORE_FOLDER);
    if data.join(INFLUX_FOLDER).join(embedded::FILE).exists() {
        return Err(Failure::unavailable(format!(
            "the readings of `{}` are in an InfluxDB: bring them into a folder with \
             `miaopu store copy --from CONFIG --to FOLDER` and ask that",
            data.display()
        )));
    }
    Engine::open_read_only(&folder)
        .or_unavailable(format!("cannot read the store `{}`", folder.display()))
}

/// Returns the file of readings among the data, as a path within them.
pub(crate) fn file_in(data: &Path) -> PathBuf {
    let influx = Path::new(INFLUX_FOLDER).join(embedded::FILE);
    if data.join(&influx).exists() { influx } else { Path::new(STORE_FOLDER).join(embedded::FILE) }
}

/// Puts what keeps readings from an InfluxDB into a person's words, as it changes.
pub(crate) fn troubles(
    tasks: &TaskTracker,
    series: &Series,
    stop: CancellationToken,
) -> watch::Receiver<Vec<Name>> {
    let (tell, told) = watch::channel(Vec::new());
    let mut shipping = match series {
        Series::Influx(influx) => influx.shipping(),
        // Nothing is ever wrong, and the sender must live.
        Series::Embedded(_) => watch::Sender::new(Shipping::default()).subscribe(),
    };
    tasks.spawn(async move {
        loop {
            let now = named(&shipping.borrow_and_update().clone());
            tell.send_if_modified(|before| {
                let changed = *before != now;
                *before = now;
                changed
            });
            tokio::select! {
                () = stop.cancelled() => return,
                changed = shipping.changed() => if changed.is_err() {
                    stop.cancelled().await;
                    return;
                },
            }
        }
    });
    told
}

fn named(shipping: &Shipping) -> Vec<Name> {
    let Some(trouble) = &shipping.trouble else { return Vec::new() };
    let (zh, en) = match trouble {
        Trouble::Away => (
            "InfluxDB 暂时不可用：读数存在网关上，恢复后自动补发".to_owned(),
            "InfluxDB can't be reached: readings are kept by the gateway and shipped later.".to_owned(),
        ),
        Trouble::Token => (
            "InfluxDB 不接受令牌：读数存在网关上；请更换令牌文件的内容并重启网关".to_owned(),
            "InfluxDB does not accept the token: readings are kept by the gateway. Renew the token \
             file and start the gateway again."
                .to_owned(),
        ),
        Trouble::NotFound => (
            "InfluxDB 里没有所配置的组织或存储桶：读数存在网关上；请检查 store.org 和 store.bucket".to_owned(),
            "InfluxDB has no such organization or bucket: readings are kept by the gateway. Check \
             store.org and store.bucket."
                .to_owned(),
        ),
        Trouble::Refused => (
            format!("InfluxDB 拒收了 {} 条读数，已存在网关的 aside.jsonl；见 docs/influxdb.zh.md", shipping.aside),
            format!(
                "InfluxDB refused {} readings; they are in the gateway's aside.jsonl: docs/influxdb.md",
                shipping.aside
            ),
        ),
        Trouble::Odd => (
            "store.url 的回答不像 InfluxDB 2：读数存在网关上；请检查 store.url".to_owned(),
            "What answers at store.url is no InfluxDB 2: readings are kept by the gateway. Check \
             store.url."
                .to_owned(),
        ),
    };
    vec![Name { zh, en }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_another_kind_is_never_passed_over() {
        let data = tempfile::tempdir().unwrap();
        let series = open(data.path(), &Backend::Embedded).unwrap();
        drop(series);
        assert_eq!(file_in(data.path()), Path::new("store").join(embedded::FILE));
        std::fs::rename(data.path().join("store"), data.path().join("influx")).unwrap();
        assert_eq!(file_in(data.path()), Path::new("influx").join(embedded::FILE));
        for refused in [
            open(data.path(), &Backend::Embedded).map(|_| ()),
            open_read_only(data.path()).map(|_| ()),
        ] {
            let text = refused.unwrap_err().error().to_string();
            assert!(text.contains("miaopu store copy"), "{text}");
        }
    }

    #[test]
    fn every_trouble_has_words() {
        use Trouble::{Away, NotFound, Odd, Refused, Token};
        for trouble in [Away, Token, NotFound, Odd, Refused] {
            let named = named(&Shipping { trouble: Some(trouble), ..Shipping::default() });
            assert!(named.iter().all(|name| !name.zh.is_empty() && name.en.contains("InfluxDB")));
        }
        assert!(named(&Shipping::default()).is_empty());
    }
}
