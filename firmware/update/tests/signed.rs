//! Signatures and manifests: RFC 8032, another implementation, and any bytes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails at once"
)]

use measure::{Slug, Uptime};
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use update::{Manifest, Ours, Refusal, TRIAL_MS, Trial, Verdict, is_signed, verify};

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let bytes: Vec<u8> =
        (0..N).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

fn manifest() -> Manifest {
    Manifest {
        target: Slug::new("mps2-an385").unwrap(),
        release: 8,
        version: "0.2.0".try_into().unwrap(),
        length: 165_000,
        sha256: [0xAB; 32],
    }
}

fn bytes_of(manifest: &Manifest) -> Vec<u8> {
    let mut buffer = [0xA5; wire::MANIFEST_BYTES_MAX];
    let count = manifest.encode(&mut buffer).unwrap();
    buffer[..count].to_vec()
}

fn ours() -> Ours {
    Ours { target: Slug::new("mps2-an385").unwrap(), release: 7, slot_bytes: 262_144 }
}

fn pair(seed: u8) -> (Ed25519KeyPair, [u8; 32]) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (pair, public)
}

fn sign(bytes: &[u8], seed: u8) -> [u8; 64] {
    pair(seed).0.sign(bytes).as_ref().try_into().unwrap()
}

/// RFC 8032 §7.1, tests 1 to 3.
#[test]
fn the_vectors_of_rfc_8032_are_good_and_one_bit_more_is_not() {
    let vectors: [(&str, &[u8], &str); 3] = [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            &[0xaf, 0x82],
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (key, message, signature) in vectors {
        let (key, mut signature) = (hex::<32>(key), hex::<64>(signature));
        assert!(is_signed(message, &signature, &key));
        assert!(!is_signed(b"another", &signature, &key));
        signature[40] ^= 1;
        assert!(!is_signed(message, &signature, &key));
    }
}

#[test]
fn a_scalar_that_was_raised_by_the_order_is_no_signature() {
    const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let (message, (_, key)) = (b"once", pair(3));
    let mut signature = sign(message, 3);
    assert!(is_signed(message, &signature, &key));
    let mut carry = 0_u16;
    for (byte, more) in signature[32..].iter_mut().zip(hex::<32>(ORDER)) {
        carry += u16::from(*byte) + u16::from(more);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert_eq!(carry, 0);
    assert!(!is_signed(message, &signature, &key));
}

#[test]
fn the_manifest_has_the_bytes_of_the_contract() {
    let bytes = bytes_of(&manifest());
    let mut expect = vec![0xA6, 0, 1, 1, 0x6A];
    expect.extend(b"mps2-an385");
    expect.extend([2, 8, 3, 0x65]);
    expect.extend(b"0.2.0");
    expect.extend([4, 0x1A, 0, 2, 0x84, 0x88, 5, 0x58, 32]);
    expect.extend([0xAB; 32]);
    assert_eq!(bytes, expect);
    assert_eq!(Manifest::decode(&bytes), Ok(manifest()));
    for end in 0..bytes.len() {
        assert!(Manifest::decode(&bytes[..end]).is_err());
    }
    assert!(Manifest::decode(&[&bytes[..], &[0]].concat()).is_err());
}

#[track_caller]
fn check(changed: impl FnOnce(&mut Manifest), ours: &Ours, expect: Result<(), &str>) {
    let mut manifest = manifest();
    changed(&mut manifest);
    let bytes = bytes_of(&manifest);
    // The second of two keys signed it.
    let keys = [pair(1).1, pair(2).1];
    let found = verify(&bytes, &sign(&bytes, 2), &keys, ours);
    match expect {
        Ok(()) => assert_eq!(found, Ok(manifest)),
        Err(word) => assert_eq!(wire::detail(format_args!("{}", found.unwrap_err())), word),
    }
}

#[test]
fn only_a_newer_release_for_this_board_that_fits_is_taken() {
    check(|_| (), &ours(), Ok(()));
    check(|it| it.release = 7, &ours(), Err("release 7 is not above 7"));
    check(|it| it.release = 6, &ours(), Err("release 6 is not above 7"));
    check(|it| it.target = Slug::new("esp32c6").unwrap(), &ours(), Err("made for esp32c6"));
    check(|it| it.length = 262_144, &ours(), Ok(()));
    check(|it| it.length = 262_145, &ours(), Err("262145 bytes, room for 262144"));
}

#[test]
fn a_signature_of_no_key_of_ours_is_refused_before_anything_is_read() {
    let bytes = bytes_of(&manifest());
    let signature = sign(&bytes, 2);
    assert_eq!(verify(&bytes, &signature, &[pair(1).1], &ours()), Err(Refusal::Signature));
    assert_eq!(verify(&bytes, &signature, &[], &ours()), Err(Refusal::Signature));
    assert_eq!(verify(b"junk", &signature, &[pair(2).1], &ours()), Err(Refusal::Signature));
    let junk = verify(b"junk", &sign(b"junk", 2), &[pair(2).1], &ours());
    assert!(matches!(junk, Err(Refusal::Manifest(_))));
}

#[test]
fn a_new_image_stays_when_it_sampled_connected_and_was_acknowledged() {
    let at = Uptime(5_000);
    let end = at.plus_ms(TRIAL_MS);
    let shown: [fn(&mut Trial); 3] = [Trial::sampled, Trial::connected, Trial::birth_acknowledged];
    for missing in 0..3 {
        let mut trial = Trial::new(at);
        shown
            .iter()
            .enumerate()
            .filter(|(nth, _)| *nth != missing)
            .for_each(|(_, it)| it(&mut trial));
        assert_eq!(trial.verdict(Uptime(end.0 - 1)), Verdict::Wait(end));
        assert_eq!(trial.verdict(end), Verdict::Reset);
        shown[missing](&mut trial);
        assert_eq!(trial.verdict(end), Verdict::Keep);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_manifest_panic(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        if let Ok(manifest) = Manifest::decode(&bytes) {
            prop_assert_eq!(Manifest::decode(&bytes_of(&manifest)), Ok(manifest));
        }
    }
}

proptest! {
    // Each takes two verifications, slow without optimisation.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn another_implementation_agrees(seed: [u8; 32], message in prop::collection::vec(any::<u8>(), 0..128), flip in 0_usize..64) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let mut signature: [u8; 64] = pair.sign(&message).as_ref().try_into().unwrap();
        prop_assert!(is_signed(&message, &signature, &key));
        signature[flip] ^= 4;
        prop_assert!(!is_signed(&message, &signature, &key));
    }
}
