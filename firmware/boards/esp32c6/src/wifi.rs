//! The network: a Wi-Fi station that comes back by itself, and an address by DHCP.
//!
//! The country rules which channels are used (`board.country=CN` by default: 1 to 13). Power save is
//! what the modem does between two beacons while it is connected (`board.power_save`): `minimum`
//! wakes for each DTIM and is the default, `maximum` for every third beacon, `none` stays awake.

use core::fmt;

use embassy_net::{DhcpConfig, Runner, Stack, StackResources};
use embassy_time::{Duration, Timer, with_timeout};
use esp_hal::peripherals::WIFI;
use esp_hal::rng::Rng;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ControllerConfig, CountryInfo, Interface, PowerSaveMode,
    WifiController,
};
use node::Provision;
use static_cell::StaticCell;

use crate::log;

/// Sockets: DHCP, DNS, the broker's, and one that still closes.
const SOCKETS: usize = 4;
/// How long one try to join may take; then it is given up and begun anew.
const JOIN_MAX: Duration = Duration::from_secs(20);
/// The pause between two tries to join, in milliseconds; half of it at random. The access point of a
/// whole nursery comes back to as many nodes as it has lost.
const PAUSE_MS: u32 = 4_000;

/// Why there is no network. Says nothing of the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// This key of the provisioning page is missing or not possible.
    Key(&'static str),
    /// The radio does not start.
    Radio,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "`{key}` is missing or not possible"),
            Self::Radio => f.write_str("the radio does not start"),
        }
    }
}

/// What the provisioning page says of the Wi-Fi.
pub(crate) struct Settings {
    station: StationConfig,
    country: CountryInfo,
    power_save: PowerSaveMode,
}

impl Settings {
    /// Reads the provisioning page.
    ///
    /// # Errors
    /// The key that is missing or not possible.
    pub(crate) fn new(provision: &Provision<'_>) -> Result<Self, Error> {
        let ssid = provision.wifi_ssid.ok_or(Error::Key("wifi_ssid"))?;
        let ssid = ssid.try_into().map_err(|_| Error::Key("wifi_ssid"))?;
        let password = Error::Key("wifi_password");
        let authentication = match provision.wifi_password {
            None | Some("") => AuthenticationMethodConfig::Open,
            // The least that WPA2 allows (IEEE 802.11, annex J.4.1).
            Some(short) if short.len() < 8 => return Err(password),
            Some(word) => {
                AuthenticationMethodConfig::Wpa2Personal(word.try_into().map_err(|_| password)?)
            }
        };
        let country = provision.board("country").unwrap_or("CN").as_bytes();
        let country: [u8; 2] = country.try_into().map_err(|_| Error::Key("board.country"))?;
        let power_save = match provision.board("power_save") {
            None | Some("minimum") => PowerSaveMode::Minimum,
            Some("maximum") => PowerSaveMode::Maximum,
            Some("none") => PowerSaveMode::None,
            Some(_) => return Err(Error::Key("board.power_save")),
        };
        let station = StationConfig::default().with_ssid(ssid).with_authentication(authentication);
        Ok(Self { station, country: CountryInfo::from(country), power_save })
    }
}

/// What carries the network: give each part to a task.
pub(crate) struct Network {
    pub(crate) stack: Stack<'static>,
    pub(crate) runner: Runner<'static, Interface>,
    pub(crate) controller: WifiController<'static>,
}

/// Starts the radio. Nothing is joined yet: [`keep_joined`] does that.
///
/// # Errors
/// `Radio` where the radio does not start.
pub(crate) fn start(radio: WIFI<'static>, settings: &Settings) -> Result<Network, Error> {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    let config = ControllerConfig::default()
        .with_country_info(settings.country)
        .with_initial_config(Config::Station(settings.station.clone()));
    let mut controller = WifiController::new(radio, config).map_err(|_| Error::Radio)?;
    controller.set_power_saving(settings.power_save).map_err(|_| Error::Radio)?;
    let random = Rng::new();
    let seed = u64::from(random.random()) << 32 | u64::from(random.random());
    let (stack, runner) = embassy_net::new(
        Interface::station(),
        embassy_net::Config::dhcpv4(DhcpConfig::default()),
        RESOURCES.init(StackResources::new()),
        seed,
    );
    Ok(Network { stack, runner, controller })
}

/// Joins, and joins again, for ever.
pub(crate) async fn keep_joined(mut controller: WifiController<'static>) -> ! {
    loop {
        match with_timeout(JOIN_MAX, controller.connect_async()).await {
            Ok(Ok(_)) => {
                log!("wifi: joined");
                match controller.wait_for_disconnect_async().await {
                    Ok(why) => log!("wifi: lost: {:?}", why.reason),
                    Err(error) => log!("wifi: lost: {error:?}"),
                }
            }
            Ok(Err(error)) => log!("wifi: not joined: {error:?}"),
            Err(_) => log!("wifi: not joined in {} s", JOIN_MAX.as_secs()),
        }
        let jitter_ms = Rng::new().random() % (PAUSE_MS / 2);
        Timer::after_millis(u64::from(PAUSE_MS / 2 + jitter_ms)).await;
    }
}
