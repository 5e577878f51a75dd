//! `file:` URIs, as editors and code scanning write paths.
//!
//! Source: RFC 8089, <https://www.rfc-editor.org/rfc/rfc8089>.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What a path of a URI does not show as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const SCHEME: &str = "file://";

/// The path as a URI: one that is relative stays so.
pub(super) fn of(path: &Path) -> String {
    let escaped = percent_encode(path.as_os_str().as_bytes(), ESCAPED);
    let scheme = if path.is_absolute() { SCHEME } else { "" };
    format!("{scheme}{escaped}")
}

/// The path of a file on this machine; `None` for any other URI.
pub(super) fn path(uri: &str) -> Option<PathBuf> {
    let path = uri.strip_prefix(SCHEME)?;
    let path = path.strip_prefix("localhost").unwrap_or(path);
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    path.starts_with('/')
        .then(|| OsStr::from_bytes(&bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_its_uri_lead_to_each_other() {
        for (path, uri) in [
            ("/etc/a b/ü.toml", "file:///etc/a%20b/%C3%BC.toml"),
            ("/a#?%.csv", "file:///a%23%3F%25.csv"),
        ] {
            assert_eq!(of(Path::new(path)), uri);
            assert_eq!(self::path(uri), Some(path.into()));
        }
        assert_eq!(of(Path::new("a b")), "a%20b");
        assert_eq!(self::path("file://localhost/c%3a"), Some("/c:".into()));
        for other in ["untitled:1", "file://host/a", "", "/a"] {
            assert_eq!(self::path(other), None, "{other}");
        }
    }
}
