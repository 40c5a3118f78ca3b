//! `miaopu firmware key|sign|show|add|offer`: from a compiler's output to a node that is offered it.

mod server;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use measure::NodeKey;
use people::Actor;
use registry::{Registry, ReleaseKey};
use release::{IMAGE_BYTES_MAX, KeyPair, PACKAGE_BYTES_MAX, Package, PublicKey};
use update::Manifest;

use crate::cli::{
    FirmwareAddArgs, FirmwareCommand, FirmwareKeyArgs, FirmwareOfferArgs, FirmwareShowArgs,
    FirmwareSignArgs,
};
use crate::clock::Clock;
use crate::commands::open_existing_registry;
use crate::failure::{Failure, OrFail};

pub(crate) use server::Server;

/// The longest key file, in bytes.
const KEY_FILE_BYTES_MAX: usize = 4_096;

/// Does what the command says.
pub(crate) fn run(command: &FirmwareCommand) -> Result<(), Failure> {
    match command {
        FirmwareCommand::Key(arguments) => key(arguments),
        FirmwareCommand::Sign(arguments) => sign(arguments),
        FirmwareCommand::Show(arguments) => show(arguments),
        FirmwareCommand::Add(arguments) => add(arguments),
        FirmwareCommand::Offer(arguments) => offer(arguments),
    }
}

/// Draws a key pair: the private half into a file that only its owner reads, the public one printed.
fn key(arguments: &FirmwareKeyArgs) -> Result<(), Failure> {
    let (pair, text) = KeyPair::draw().map_err(|error| Failure::unavailable(both(&error)))?;
    let out = &arguments.out;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(out)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    let what = format!(
        "cannot write `{}`; a key is never written over another, so name a new file / 无法写入;\
         不会覆盖已有文件,请换一个文件名",
        out.display()
    );
    write().or_unavailable(what)?;
    eprintln!(
        "`{}` signs firmware for your nodes: keep it offline, with a copy.\n\
         私钥已写入该文件,请离线保管并备份。\n\
         Key {}. The line below is its public half, to be built into images (公钥,编入固件):",
        out.display(),
        pair.public().id()
    );
    println!("{}", pair.public());
    Ok(())
}

/// Signs an image into a package.
fn sign(arguments: &FirmwareSignArgs) -> Result<(), Failure> {
    let text = read(&arguments.key, KEY_FILE_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&text);
    let pair = KeyPair::parse(&text).map_err(|error| {
        Failure::data(format!("`{}`: {}", arguments.key.display(), both(&error)))
    })?;
    let image = read(&arguments.image, IMAGE_BYTES_MAX)?;
    let version = update::Version::try_from(arguments.version.as_str()).map_err(|_| {
        let most = update::VERSION_BYTES_MAX;
        Failure::usage(format!(
            "--version `{0}` is longer than {most} bytes; shorten it / --version “{0}”超过 {most} 字节,请缩短",
            arguments.version
        ))
    })?;
    let manifest = Manifest {
        target: arguments.target.clone(),
        release: arguments.release,
        version,
        length: 1,
        sha256: [0; 32],
    };
    let package = Package::sign(manifest, image, &pair).map_err(|error| {
        Failure::data(format!("`{}`: {}", arguments.image.display(), both(&error)))
    })?;
    let out = &arguments.out;
    fs::write(out, package.bytes()).or_unavailable(format!("cannot write `{}`", out.display()))?;
    print(&package);
    Ok(())
}

/// Shows what a package is, and checks whose signature it has.
fn show(arguments: &FirmwareShowArgs) -> Result<(), Failure> {
    let package = package(&arguments.package)?;
    print(&package);
    let Some(public) = arguments.public else { return Ok(()) };
    if package.key == public {
        println!("signed by the key that was given / 签名与所给公钥相符");
        return Ok(());
    }
    Err(Failure::data(format!(
        "`{0}` is signed by the key {1}, not by {2}; sign it with the key whose public half is in the \
         image / “{0}”由密钥 {1} 签名,而不是 {2};请用固件中公钥对应的私钥签名",
        arguments.package.display(),
        package.key.id(),
        public.id()
    )))
}

/// Puts a package into the data folder.
fn add(arguments: &FirmwareAddArgs) -> Result<(), Failure> {
    let package = package(&arguments.package)?;
    let registry = open_existing_registry(&arguments.data)?;
    let release = kept(&package, Actor::CommandLine);
    registry
        .add_release(&release, &package.image)
        .or_data(format!("cannot keep `{}`", arguments.package.display()))?;
    print(&package);
    Ok(())
}

/// Offers a release to a node; the gateway that runs, or the next one that does, sends it.
fn offer(arguments: &FirmwareOfferArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let node = &arguments.node;
    let target = target(&registry, node)?;
    let key = ReleaseKey { target, number: arguments.release };
    registry.offer_release(node, &key, &Actor::CommandLine, Clock::system().now()).or_data(
        format!(
            "cannot offer release {0} for {1} to `{node}`; `miaopu firmware add` adds one / \
             无法向“{node}”提供 {1} 的版本 {0};请先用 miaopu firmware add 添加",
            key.number, key.target
        ),
    )?;
    println!("offered release {} for {} to {node}", key.number, key.target);
    Ok(())
}

fn target(registry: &Registry, node: &NodeKey) -> Result<measure::Slug, Failure> {
    let births = registry.births().or_unavailable("cannot read the registry")?;
    let birth = births.into_iter().find(|birth| birth.node == *node).ok_or_else(|| {
        Failure::data(format!(
            "the node `{node}` has never reported; switch it on first / 节点“{node}”从未上线;请先接通"
        ))
    })?;
    let birth =
        wire::decode_birth(&birth.frame).or_data(format!("cannot read the birth of {node}"))?;
    birth.target.ok_or_else(|| {
        Failure::data(format!(
            "the firmware of `{node}` ({0}) takes no updates; flash it by cable once / \
             节点“{node}”的固件({0})不支持远程升级;请先用线缆刷写一次",
            birth.firmware
        ))
    })
}

/// Returns what the registry keeps of a package.
fn kept(package: &Package, by: Actor) -> registry::Release {
    let manifest = &package.manifest;
    registry::Release {
        key: ReleaseKey { target: manifest.target.clone(), number: manifest.release },
        version: manifest.version.as_str().to_owned(),
        length: manifest.length,
        sha256: manifest.sha256,
        manifest: package.signed.clone(),
        signature: package.signature,
        signer: package.key.0,
        added: Clock::system().now(),
        by,
    }
}

fn package(file: &Path) -> Result<Package, Failure> {
    let bytes = read(file, PACKAGE_BYTES_MAX)?;
    Package::parse(&bytes)
        .map_err(|error| Failure::data(format!("`{}`: {}", file.display(), both(&error))))
}

fn read(file: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let taken = || fs::File::open(file)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes);
    let mut taken = taken;
    taken().or_unavailable(format!("cannot read `{}`", file.display()))?;
    if bytes.len() <= bytes_max {
        return Ok(bytes);
    }
    Err(Failure::data(format!(
        "`{0}` is longer than {bytes_max} bytes; is it the right file? / “{0}”超过 {bytes_max} 字节,\
         请核对文件",
        file.display()
    )))
}

fn both(error: &release::Error) -> String {
    format!("{} / {}", error.en, error.zh)
}

fn print(package: &Package) {
    let manifest = &package.manifest;
    let sum: String = manifest.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    println!(
        "target: {}\nrelease: {}\nversion: {}\nbytes: {}\nsha256: {sum}\nkey: {}\npublic: {}",
        manifest.target,
        manifest.release,
        manifest.version,
        manifest.length,
        package.key.id(),
        package.key
    );
}

/// Reads a public key from the command line.
pub(crate) fn public(text: &str) -> Result<PublicKey, String> {
    text.parse::<PublicKey>().map_err(|error| both(&error))
}

/// Reads `SITE/NODE` from the command line.
pub(crate) fn node(text: &str) -> Result<NodeKey, String> {
    let none = || format!("`{text}` is no SITE/NODE such as nanchuan/bench-1 / 须写作 基地/节点");
    let (site, node) = text.split_once('/').ok_or_else(none)?;
    let slug = |name: &str| measure::Slug::new(name).map_err(|_| none());
    Ok(NodeKey { site: slug(site)?, node: slug(node)? })
}

#[cfg(test)]
mod tests;
