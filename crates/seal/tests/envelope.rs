//! Seals: what was sealed is opened by those who trust the sealer, and nothing else is.

use dunlin_seal::envelope::{self, HEADER_BYTES};
use dunlin_seal::{MachineKey, Purpose, Seal, SealError, SealedBy, SigningKey, Trust};

fn sealed(payload: &[u8], purpose: Purpose, seal: Seal<'_>) -> Vec<u8> {
    let mut bytes = envelope::start();
    bytes.extend_from_slice(payload);
    envelope::close(&mut bytes, purpose, seal);
    bytes
}

fn keys() -> (MachineKey, SigningKey, Trust) {
    let (machine, signer) = (MachineKey::new([1; 32]), SigningKey::from_seed(&[2; 32]));
    let trust = Trust { machine: Some(machine.clone()), signers: vec![signer.public()] };
    (machine, signer, trust)
}

#[test]
fn what_was_sealed_is_opened() {
    let (machine, signer, trust) = keys();
    for seal in [Seal::Machine(&machine), Seal::Signature(&signer)] {
        for payload in [&b""[..], b"x", &[7; 5000]] {
            let bytes = sealed(payload, Purpose::Program, seal);
            assert_eq!(bytes.len(), HEADER_BYTES + payload.len());
            assert_eq!(envelope::open(&bytes, Purpose::Program, &trust), Ok(payload));
        }
    }
}

#[test]
fn each_bit_counts() {
    let (machine, signer, trust) = keys();
    let payload: Vec<u8> = (0..120).collect();
    for seal in [Seal::Machine(&machine), Seal::Signature(&signer)] {
        let bytes = sealed(&payload, Purpose::Code, seal);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                assert!(envelope::open(&wrong, Purpose::Code, &trust).is_err(), "byte {at}");
            }
        }
        for len in 0..bytes.len() {
            assert!(envelope::open(&bytes[..len], Purpose::Code, &trust).is_err(), "{len} bytes");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(envelope::open(&longer, Purpose::Code, &trust).is_err());
    }
}

/// How long the body has to be is sealed, and what it has is not.
#[test]
fn a_body_comes_behind() {
    let (machine, _, trust) = keys();
    let mut bytes = envelope::start();
    bytes.extend_from_slice(b"payload");
    envelope::close_before(&mut bytes, 4, Purpose::Program, Seal::Machine(&machine));
    assert_eq!(envelope::front_bytes(&bytes), Ok(bytes.len() as u64));
    let open = |bytes: &[u8]| {
        let opened = envelope::open_front(bytes, Purpose::Program, &trust);
        opened.map(|(payload, body_bytes)| (payload.to_vec(), body_bytes))
    };
    assert_eq!(open(&bytes), Ok((b"payload".to_vec(), 4)));
    bytes.extend_from_slice(b"body");
    assert_eq!(open(&bytes), Ok((b"payload".to_vec(), 4)));
    assert!(envelope::open(&bytes, Purpose::Program, &trust).is_err(), "there is a body");
    bytes[56] ^= 1;
    assert!(open(&bytes).is_err());
}

#[test]
fn strangers_are_not_trusted() {
    let (machine, signer, trust) = keys();
    let other = MachineKey::new([9; 32]);
    let stranger = SigningKey::from_seed(&[9; 32]);
    for seal in [Seal::Machine(&other), Seal::Signature(&stranger)] {
        let bytes = sealed(b"code", Purpose::Code, seal);
        let opened = envelope::open(&bytes, Purpose::Code, &trust);
        assert!(matches!(opened, Err(SealError::Untrusted(_))), "{opened:?}");
    }
    let nobody = Trust::default();
    for seal in [Seal::Machine(&machine), Seal::Signature(&signer)] {
        let bytes = sealed(b"code", Purpose::Code, seal);
        let opened = envelope::open(&bytes, Purpose::Code, &nobody);
        assert!(matches!(opened, Err(SealError::Untrusted(_))), "{opened:?}");
    }
}

/// Who knows the name of a key does not have the key.
#[test]
fn names_of_keys_can_be_copied_and_seals_cannot() {
    let (machine, signer, trust) = keys();
    let other = MachineKey::new([9; 32]);
    let stranger = SigningKey::from_seed(&[9; 32]);
    let pairs = [
        (Seal::Machine(&machine), Seal::Machine(&other)),
        (Seal::Signature(&signer), Seal::Signature(&stranger)),
    ];
    for (ours, theirs) in pairs {
        let good = sealed(b"good", Purpose::Code, ours);
        let mut forged = sealed(b"evil", Purpose::Code, theirs);
        forged[16..48].copy_from_slice(&good[16..48]);
        let opened = envelope::open(&forged, Purpose::Code, &trust);
        assert!(matches!(opened, Err(SealError::Broken(_))), "{opened:?}");
        // The whole header of another file.
        forged[..HEADER_BYTES].copy_from_slice(&good[..HEADER_BYTES]);
        let opened = envelope::open(&forged, Purpose::Code, &trust);
        assert!(matches!(opened, Err(SealError::Broken(_))), "{opened:?}");
    }
}

/// A public key of small order fits signatures that nobody made.
#[test]
fn weak_public_keys_fit_nothing() {
    let weak = dunlin_seal::PublicKey::from_bytes({
        let mut one = [0; 32];
        one[0] = 1;
        one
    });
    let signer = SigningKey::from_seed(&[2; 32]);
    let mut forged = sealed(b"evil", Purpose::Program, Seal::Signature(&signer));
    forged[16..48].copy_from_slice(weak.bytes());
    // R is the identity, s is zero: s·B = R + k·A for every k.
    forged[64..128].fill(0);
    forged[64] = 1;
    let trust = Trust { machine: None, signers: vec![weak] };
    let opened = envelope::open(&forged, Purpose::Program, &trust);
    assert!(matches!(opened, Err(SealError::Broken(_))), "{opened:?}");
}

#[test]
fn a_seal_is_for_one_purpose() {
    let (machine, _, trust) = keys();
    let bytes = sealed(b"x", Purpose::Verdict, Seal::Machine(&machine));
    let opened = envelope::open(&bytes, Purpose::Code, &trust);
    assert_eq!(opened, Err(SealError::Purpose(Purpose::Code, Purpose::Verdict)));
}

#[test]
fn what_it_claims_is_shown() {
    let (machine, signer, _) = keys();
    let bytes = sealed(b"xyz", Purpose::Program, Seal::Signature(&signer));
    let claim = envelope::read(&bytes).unwrap();
    assert_eq!(claim.by, SealedBy::Signer(signer.public()));
    assert_eq!((claim.purpose, claim.payload), (Purpose::Program, &b"xyz"[..]));
    let bytes = sealed(b"xyz", Purpose::Program, Seal::Machine(&machine));
    assert_eq!(envelope::read(&bytes).unwrap().by, SealedBy::Machine(*machine.id()));
}

#[test]
fn secrets_are_not_printed() {
    let (machine, signer, trust) = keys();
    for text in [format!("{machine:?}"), format!("{signer:?}"), format!("{trust:?}")] {
        assert!(!text.contains("1, 1, 1") && !text.contains("2, 2, 2"), "{text}");
        assert!(!text.contains("0101") && !text.contains("0202"), "{text}");
    }
}

#[test]
fn messages() {
    let (machine, _, trust) = keys();
    let refused =
        |bytes: &[u8]| envelope::open(bytes, Purpose::Program, &trust).unwrap_err().to_string();
    assert_eq!(refused(b"\0asm"), "expected a sealed file, found something else");
    let mut bytes = sealed(b"xyz", Purpose::Code, Seal::Machine(&machine));
    assert_eq!(refused(&bytes), "expected a compiled program, found cached code");
    assert_eq!(refused(&bytes[..130]), "expected 3 bytes behind the seal, found 2");
    assert_eq!(refused(&bytes[..100]), "malformed header of a sealed file");
    bytes[129] ^= 1;
    assert_eq!(
        refused(&bytes),
        "changed after it was sealed by `machine:81d2c67a5d849f38`: the seal does not fit"
    );
    bytes[8] = 7;
    assert_eq!(refused(&bytes), "expected version 2 of the format of sealed files, found 7");
    let other = sealed(b"xyz", Purpose::Program, Seal::Machine(&MachineKey::new([9; 32])));
    assert!(refused(&other).ends_with("`, which is not this machine's key"), "{}", refused(&other));
    let other = sealed(b"xyz", Purpose::Program, Seal::Signature(&SigningKey::from_seed(&[9; 32])));
    assert_eq!(
        refused(&other),
        "signed by `ed25519:fd1724385aa0c75b64fb78cd602fa1d991fdebf76b13c58ed702eac835e9f618`, \
         which is not trusted"
    );
}
