//! The provisioning page: read whole or not at all, with the line that is wrong; secrets stay out of logs.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use node::{Provision, ProvisionError};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

const TEXT: &str = "site=nanchuan\nnode=bench-01\nsecret=s3cr3t-of-bench\n\
    gateways=192.0.2.7:1883,gateway.example:8883\ninterval_ms=60000\ntls=on\nca=MIIBszCCAVo=\n\
    wifi_ssid=miaopu\nwifi_password=p4ssw0rd=with=signs\nboard.tmp105=canopy\n\n";

fn page(text: &str) -> Vec<u8> {
    let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut page = format!("miaopu-provision-1 sha256={digest}\n{text}").into_bytes();
    page.resize(4096, 0xFF);
    page
}

#[track_caller]
fn refused(text: &str, expect: ProvisionError) {
    assert_eq!(Provision::parse(&page(text)).unwrap_err(), expect);
}

#[test]
fn a_page_says_who_the_node_is() {
    let page = page(TEXT);
    let node = Provision::parse(&page).unwrap();
    assert_eq!(node.key.to_string(), "nanchuan/bench-01");
    assert_eq!(node.secret, "s3cr3t-of-bench");
    assert_eq!(node.gateways, ["192.0.2.7:1883", "gateway.example:8883"]);
    assert_eq!((node.interval_ms, node.tls, node.ca), (60_000, true, Some("MIIBszCCAVo=")));
    assert_eq!((node.wifi_ssid, node.wifi_password), (Some("miaopu"), Some("p4ssw0rd=with=signs")));
    assert_eq!((node.board("tmp105"), node.board("tmp")), (Some("canopy"), None));
}

#[test]
fn secrets_are_not_printed() {
    let page = page(TEXT);
    let shown = format!("{:?}", Provision::parse(&page).unwrap());
    assert!(shown.contains("bench-01"));
    assert!(!shown.contains("s3cr3t") && !shown.contains("p4ssw0rd"), "{shown}");
}

#[test]
fn what_is_wrong_is_named() {
    use ProvisionError::{Checksum, Line, Missing, Text, Value};
    assert_eq!(Provision::parse(&[0xFF; 4096]).unwrap_err(), Missing);
    assert_eq!(Provision::parse(&[]).unwrap_err(), Missing);
    let mut torn = page(TEXT);
    torn[200..].fill(0xFF);
    assert_eq!(Provision::parse(&torn).unwrap_err(), Checksum);
    refused("colour=green\n", Line(2));
    refused(&TEXT.replace("tls=on", "tls"), Line(7));
    refused(&format!("{TEXT}site=other\n"), Line(13));
    refused(&TEXT.replace("board.tmp105", "board."), Line(11));
    refused(&TEXT.replace("site=nanchuan\n", ""), Value("site"));
    refused(&TEXT.replace("bench-01", "Bench 1"), Value("node"));
    refused(&TEXT.replace("60000", "99"), Value("interval_ms"));
    refused(&TEXT.replace("tls=on", "tls=yes"), Value("tls"));
    refused(&TEXT.replace("ca=MIIBszCCAVo=\n", ""), Value("ca"));
    refused(&TEXT.replace("MIIBszCCAVo=", "MIIBszCCAVo"), Value("ca"));
    refused(&TEXT.replace(":1883", ""), Value("gateways"));
    refused(&TEXT.replace("s3cr3t-of-bench", ""), Value("secret"));
    refused(&TEXT.replace("s3cr3t-of-bench", &"x".repeat(65)), Value("secret"));
    // Bytes that are no text, under a right checksum.
    let digest: String = Sha256::digest([0xC3]).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut bytes = format!("miaopu-provision-1 sha256={digest}\n").into_bytes();
    bytes.push(0xC3);
    assert_eq!(Provision::parse(&bytes).unwrap_err(), Text);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(Provision::parse(&bytes));
    }

    #[test]
    fn no_text_makes_it_panic(text in "([a-z_.=0-9:,\n]|site=|gateways=|board.|ca=){0,60}") {
        drop(Provision::parse(&page(&text)));
    }

    #[test]
    fn a_flipped_bit_is_seen(at in 0..TEXT.len() + 91, bit in 0..8_u32) {
        let mut page = page(TEXT);
        page[at] ^= 1 << bit;
        // A hexadecimal digit may change its case.
        let is_same = Provision::parse(&page).is_ok();
        prop_assert!(!is_same || at < 91);
    }
}
