//! The signature of AWS, version 4: a header by which a call says who makes it, without the key.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::model::ids::{Digest, Time};

/// What stays as it is in a query and, with `/`, in a path.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');
/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// `text` as it stands in a query.
pub(super) fn in_query(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// `text` as it stands in a path.
pub(super) fn in_path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// A call as it is signed.
pub(super) struct Signed<'a> {
    /// The method.
    pub(super) method: &'a str,
    /// The path, encoded.
    pub(super) path: &'a str,
    /// Names and values, encoded, in order of the names.
    pub(super) query: &'a str,
    /// Names in lower case with values, in order of the names.
    pub(super) headers: &'a [(String, String)],
    /// SHA-256 of the body, in hex.
    pub(super) body: &'a str,
}

/// The value of `Authorization` for a call to `service` in `region`.
pub(super) fn authorization(
    (id, secret): (&str, &str),
    (region, service): (&str, &str),
    at: Time,
    call: &Signed<'_>,
) -> String {
    let (day, moment) = (at.format("%Y%m%d").to_string(), at.format("%Y%m%dT%H%M%SZ"));
    let names: Vec<&str> = call.headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let headers: Vec<String> =
        call.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let headers = headers.concat();
    let Signed { method, path, query, body, .. } = call;
    let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{body}");
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let hash = Digest::of(canonical.as_bytes());
    let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hash}");
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), day.as_bytes());
    for part in [region, service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = Digest::of_hash(&hmac(&key, text.as_bytes()));
    format!(
        "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
}

/// RFC 2104 over SHA-256.
fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let short = if key.len() > BLOCK { Sha256::digest(key).to_vec() } else { key.to_vec() };
    let padded = |pad: u8| {
        let whole = short.iter().copied().chain(std::iter::repeat(0)).take(BLOCK);
        whole.map(|byte| byte ^ pad).collect::<Vec<u8>>()
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(data).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyed_hash_is_that_of_rfc_4231() {
        let hex = |key: &[u8], data: &[u8]| Digest::of_hash(&hmac(key, data)).0;
        assert_eq!(
            hex(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    /// The example of the documentation of S3: an object is read in part.
    #[test]
    fn a_call_is_signed_as_the_documentation_of_s3_shows_it() {
        let empty = Digest::of(b"").0;
        let headers = [
            ("host", "examplebucket.s3.amazonaws.com"),
            ("range", "bytes=0-9"),
            ("x-amz-content-sha256", empty.as_str()),
            ("x-amz-date", "20130524T000000Z"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let call =
            Signed { method: "GET", path: "/test.txt", query: "", headers: &headers, body: &empty };
        let keys = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let at = "2013-05-24T00:00:00Z".parse().unwrap();
        let said = authorization(keys, ("us-east-1", "s3"), at, &call);
        assert!(
            said.ends_with(
                "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
                 Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ),
            "{said}"
        );
    }
}
