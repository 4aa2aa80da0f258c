//! Codes of the moment.

use mainspring_vault::{TotpSecret, plain_recovery_code, recovery_code};
use zeroize::Zeroizing;

use crate::support::Seeded;

/// RFC 6238, appendix B, for SHA-1: the last six of its eight digits.
#[test]
fn the_standards_own_codes() {
    let secret = TotpSecret::from_bytes(Zeroizing::new(b"12345678901234567890".to_vec()));
    let codes = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];
    for (now, code) in codes {
        assert_eq!(secret.code(now), code, "{now}");
    }
    assert_eq!(secret.text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_eq!(
        secret.uri("Main spring", "ada@example.org"),
        "otpauth://totp/Main%20spring:ada@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Main%20spring&algorithm=SHA1&digits=6&period=30"
    );
}

#[test]
fn a_code_is_good_once_and_near_its_moment() {
    let secret = TotpSecret::generate(&Seeded::new(3)).unwrap();
    let now = 1_700_000_010;
    let step = now / 30;
    let code = secret.code(now);
    assert_eq!(secret.accept(&code, now, None), Some(step));
    assert_eq!(secret.accept(&format!(" {} {} ", &code[..3], &code[3..]), now, None), Some(step));
    assert_eq!((secret.accept(&code, now + 30, None), secret.accept(&code, now - 30, None)), (Some(step), Some(step)));
    assert_eq!((secret.accept(&code, now + 60, None), secret.accept(&code, now - 60, None)), (None, None));
    assert_eq!((secret.accept(&code, now, Some(step)), secret.accept(&code, now, Some(step + 5))), (None, None), "used up");
    assert_eq!(secret.accept(&code, now, Some(step - 1)), Some(step));
    for wrong in ["", "12345", "1234567", "abcdef", "-12345"] {
        assert_eq!(secret.accept(wrong, now, None), None, "{wrong}");
    }
}

#[test]
fn recovery_codes_are_typed_as_people_like() {
    let code = recovery_code(&Seeded::new(4)).unwrap();
    assert_eq!(code.len(), 19);
    assert_eq!(plain_recovery_code(&code.to_uppercase().replace('-', " ")), plain_recovery_code(&code));
    assert_ne!(code, recovery_code(&Seeded::new(5)).unwrap());
}
