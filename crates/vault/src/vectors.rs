//! The published vectors of Project Wycheproof for our primitives, through the functions that seal, open and sign.

use std::sync::Mutex;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use wycheproof::TestResult;
use zeroize::Zeroizing;

use crate::cipher::{self, NONCE, TAG};
use crate::{Entropy, VaultError};

/// Gives these bytes once.
struct Given(Mutex<Option<Vec<u8>>>);

impl Entropy for Given {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), VaultError> {
        let given = self.0.lock().unwrap().take().expect("one nonce is drawn for one value");
        bytes.copy_from_slice(&given);
        Ok(())
    }
}

#[test]
fn xchacha20_poly1305() {
    use wycheproof::aead::{TestName, TestSet};
    let (mut opened, mut refused, mut short) = (0, 0, 0);
    for group in TestSet::load(TestName::XChaCha20Poly1305).unwrap().test_groups {
        for test in group.tests {
            let key = Zeroizing::new(<[u8; 32]>::try_from(&test.key[..]).unwrap());
            let sealed = [&test.nonce[..], &test.ct[..], &test.tag[..]].concat();
            if test.nonce.len() != NONCE {
                // Another length of nonce cannot even be written here; what is left is bytes that do not open.
                assert!(test.result == TestResult::Invalid && cipher::open(&key, &test.aad, &sealed, "test").is_err(), "{}", test.tc_id);
                short += 1;
                continue;
            }
            let plain = cipher::open(&key, &test.aad, &sealed, "test");
            match test.result {
                TestResult::Valid => {
                    assert_eq!(plain.unwrap()[..], test.pt[..], "{}", test.tc_id);
                    let entropy = Given(Mutex::new(Some(test.nonce.to_vec())));
                    assert_eq!(cipher::seal(&key, &[], &test.aad, &test.pt, &entropy).unwrap(), sealed, "{}", test.tc_id);
                    opened += 1;
                }
                _ => {
                    assert!(plain.is_err() && test.tag.len() == TAG, "{}: {:?}", test.tc_id, test.comment);
                    refused += 1;
                }
            }
        }
    }
    println!("{opened} opened, {refused} refused, {short} with nonces of another length");
    assert!(opened > 100 && refused > 30, "{opened} opened, {refused} refused, {short} with nonces of another length");
}

fn macs<M: Mac + KeyInit>(name: wycheproof::mac::TestName) {
    let (mut right, mut wrong) = (0, 0);
    for group in wycheproof::mac::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let mut mac = <M as KeyInit>::new_from_slice(&test.key).expect("an HMAC takes keys of any length");
            mac.update(&test.msg);
            let same = mac.finalize().into_bytes()[..group.tag_size / 8] == test.tag[..];
            assert_eq!(same, test.result != TestResult::Invalid, "{}: {:?}", test.tc_id, test.comment);
            *(if same { &mut right } else { &mut wrong }) += 1;
        }
    }
    assert!(right > 50 && wrong > 50, "{right} right, {wrong} wrong");
}

/// Of access tokens, links, idempotency keys and webhooks.
#[test]
fn hmac_sha256() {
    macs::<Hmac<Sha256>>(wycheproof::mac::TestName::HmacSha256);
}

/// Of one-time codes, whose standard asks for it.
#[test]
fn hmac_sha1() {
    macs::<Hmac<Sha1>>(wycheproof::mac::TestName::HmacSha1);
}
