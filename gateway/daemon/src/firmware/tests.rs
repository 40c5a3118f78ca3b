//! The commands, from a key to a package in the data folder.

use std::path::PathBuf;

use measure::Slug;

use super::*;

fn sign_arguments(dir: &Path) -> FirmwareSignArgs {
    let image = dir.join("app.bin");
    fs::write(&image, vec![7; 2_000]).unwrap();
    FirmwareSignArgs {
        key: dir.join("key.pem"),
        target: Slug::new("mps2-an385").unwrap(),
        release: 8,
        version: "0.2.0".to_owned(),
        image,
        out: dir.join("app.mpf"),
    }
}

fn told(result: Result<(), Failure>) -> String {
    format!("{:#}", result.unwrap_err().error())
}

#[test]
fn a_key_signs_an_image_and_the_package_is_kept_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = sign_arguments(dir.path());
    key(&FirmwareKeyArgs { out: arguments.key.clone() }).unwrap();
    sign(&arguments).unwrap();
    let file = arguments.out.clone();
    let signed = package(&file).unwrap();
    assert_eq!((signed.manifest.release, signed.manifest.length), (8, 2_000));
    let show_with = |public| show(&FirmwareShowArgs { package: file.clone(), public });
    show_with(Some(signed.key)).unwrap();
    let other = told(show_with(Some(PublicKey([9; 32]))));
    assert!(other.contains(&signed.key.id()) && other.contains("签名"), "{other}");
    let data = dir.path().join("data");
    let add_to = |data: PathBuf| add(&FirmwareAddArgs { data, package: file.clone() });
    assert!(matches!(add_to(data.clone()), Err(Failure::Unavailable(_))), "there is no data yet");
    let registry = crate::commands::open_registry(&data).unwrap();
    add_to(data).unwrap();
    let kept = registry.releases().unwrap();
    assert_eq!((kept.len(), kept[0].signer), (1, signed.key.0));
    let (_, image) = registry.release(&kept[0].key).unwrap().unwrap();
    assert_eq!(image, signed.image);
}

#[cfg(unix)]
#[test]
fn a_key_is_for_its_owner_alone_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("key.pem");
    key(&FirmwareKeyArgs { out: out.clone() }).unwrap();
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&out).unwrap();
    let error = told(key(&FirmwareKeyArgs { out: out.clone() }));
    assert!(error.contains("key.pem") && error.contains("换一个文件名"), "{error}");
    assert_eq!(fs::read(&out).unwrap(), before);
}

#[test]
fn what_is_wrong_is_told_with_its_file_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = sign_arguments(dir.path());
    assert!(told(sign(&arguments)).contains("key.pem"));
    fs::write(&arguments.key, "no key").unwrap();
    let error = told(sign(&arguments));
    assert!(error.contains("miaopu firmware key") && error.contains("私钥"), "{error}");
    fs::write(&arguments.out, "no package").unwrap();
    let shown = show(&FirmwareShowArgs { package: arguments.out.clone(), public: None });
    let error = told(shown);
    assert!(error.contains("app.mpf") && error.contains("固件包"), "{error}");
    assert!(node("nowhere").is_err() && node("s/n").is_ok());
    assert!(public("12").unwrap_err().contains("64"));
}

#[test]
fn a_node_that_never_reported_is_offered_nothing() {
    let dir = tempfile::tempdir().unwrap();
    crate::commands::open_registry(dir.path()).unwrap();
    let node = node("s/n1").unwrap();
    let error = told(offer(&FirmwareOfferArgs { data: dir.path().to_owned(), node, release: 8 }));
    assert!(error.contains("s/n1") && error.contains("从未上线"), "{error}");
}
