//! A folder for a socket.

use std::path::PathBuf;

use twiml_responder::service::listen_address::ListenAddress;

/// A folder that is removed after the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("twiml-responder-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn socket(&self) -> ListenAddress {
        ListenAddress::Unix(self.0.join("x.sock"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
