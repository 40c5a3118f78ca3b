//! What systemd is told: that the gateway is ready, that it lives, and that it ends. Without systemd
//! nobody is told anything.
//!
//! The protocol is one datagram a message to the socket that `NOTIFY_SOCKET` names (sd_notify(3)).

use std::{
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{ffi::OsStrExt as _, net::SocketAddr, net::UnixDatagram},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Who supervises the process, if anybody does.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// Finds the supervisor that started the process.
    pub(crate) fn of_this_process() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let watchdog = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        // Set for another process where the pids differ.
        let pid = std::env::var("WATCHDOG_PID").ok();
        let is_meant = pid.is_none_or(|pid| pid == std::process::id().to_string());
        match connect(name.as_bytes()) {
            Ok(socket) => Self {
                socket: Some(socket),
                watchdog: watchdog.filter(|_| is_meant).map(Duration::from_micros),
            },
            Err(error) => {
                warn!(%error, "Cannot reach the supervisor at NOTIFY_SOCKET.");
                Self::default()
            }
        }
    }

    /// Says that nodes and people can connect.
    pub(crate) fn ready(&self) {
        self.tell("READY=1\n");
    }

    /// Says that the gateway ends in order.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\n");
    }

    /// Says that the gateway lives, twice in each span that the supervisor allows, until `stop`.
    /// Threads that hang say nothing, and the supervisor starts the gateway anew.
    pub(crate) async fn keep_alive(&self, stop: &CancellationToken) {
        let Some(watchdog) = self.watchdog.filter(|span| !span.is_zero()) else { return };
        let mut beats = tokio::time::interval(watchdog / 2);
        while stop.run_until_cancelled(beats.tick()).await.is_some() {
            self.tell("WATCHDOG=1\n");
        }
    }

    fn tell(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(message.as_bytes())
        {
            warn!(%error, "Cannot tell the supervisor.");
        }
    }
}

fn connect(name: &[u8]) -> io::Result<UnixDatagram> {
    let address = match name.split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    // A supervisor that does not listen must not hold the gateway up.
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[tokio::test]
    async fn the_supervisor_hears_ready_life_and_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listening = UnixDatagram::bind(&path).unwrap();
        listening.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let socket = Some(connect(path.as_os_str().as_bytes()).unwrap());
        let watchdog = Some(Duration::from_millis(20));
        let supervisor = Supervisor { socket, watchdog };
        supervisor.ready();
        assert_eq!(heard(&listening), "READY=1\n");
        let stop = CancellationToken::new();
        tokio::select! {
            () = supervisor.keep_alive(&stop) => panic!("it stopped by itself"),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        assert_eq!(
            (heard(&listening), heard(&listening)),
            ("WATCHDOG=1\n".into(), "WATCHDOG=1\n".into())
        );
        supervisor.stopping();
        let said: Vec<_> =
            (0..6).map(|_| heard(&listening)).take_while(|said| said != "STOPPING=1\n").collect();
        assert!(said.iter().all(|said| said == "WATCHDOG=1\n"), "{said:?}");
    }

    #[test]
    fn an_abstract_socket_is_reached_too() {
        let name = format!("miaopu-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let listening = UnixDatagram::bind_addr(&address).unwrap();
        let socket = Some(connect(format!("@{name}").as_bytes()).unwrap());
        Supervisor { socket, watchdog: None }.ready();
        assert_eq!(heard(&listening), "READY=1\n");
    }

    #[test]
    fn without_a_supervisor_nothing_is_said() {
        Supervisor::default().ready();
    }
}
