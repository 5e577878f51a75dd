//! `serve`: table, secrets and sockets first, then the service until it is told to end.
//!
//! Only puts the parts together: the options are in `serve/options.rs`.

mod log;
mod options;
mod signals;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tracing::{info, warn};

use self::options::{LimitOptions, Signers};
use self::signals::Endings;
use super::secrets::TOKEN_VARIABLE;
use super::{Outcome, table_file};
use crate::live::Verification;
use crate::server::listener::{ListenAddress, Listener};
use crate::server::{self, Limits, Service};

pub(super) use self::options::Arguments;

pub(super) fn run(arguments: Arguments) -> Result<Outcome> {
    let verification = verification(&arguments.signers)?;
    let is_unsigned = matches!(verification, Verification::AllowUnsigned);
    let table = table_file::compile(&arguments.table.config)?.table;
    log::start(arguments.logging.log);
    log::log_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the service")?;
    let routes = table.routes().len();
    let service = Service {
        out_of_session: arguments.twilio.path,
        public_urls: arguments.twilio.public_url,
        trusted_proxies: arguments.twilio.trusted_proxy,
        show_numbers: arguments.logging.show_numbers,
        ..Service::new(Arc::new(table), verification)
    };
    let limits = limits(&arguments.limits);
    runtime.block_on(async {
        let endings = Endings::new().context("cannot listen for signals")?;
        let listeners = bind(&arguments.listening.listen, routes).await?;
        if is_unsigned {
            warn!("signatures are not checked: whoever is on this machine gets answers");
        }
        let cut_off = server::run(listeners, Arc::new(service), limits, endings.first()).await;
        info!(cut_off, "ended");
        Ok(Outcome::Yes)
    })
}

fn limits(options: &LimitOptions) -> Limits {
    Limits {
        max_connections: options.max_connections,
        max_body_bytes: options.max_body,
        ..Limits::default()
    }
}

/// Opens every address; says where, since a port may be any free one.
async fn bind(addresses: &[ListenAddress], routes: usize) -> Result<Vec<Listener>> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = Listener::bind(address).await?;
        let address = listener
            .address()
            .with_context(|| format!("cannot tell the port of {address}"))?;
        info!(routes, "listening on {address}");
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Who is answered. There is no way to run without deciding it.
fn verification(signers: &Signers) -> Result<Verification> {
    let secrets = signers.secrets.read()?;
    match (secrets.is_empty(), signers.allow_unsigned) {
        (false, false) => Ok(Verification::Signed(secrets)),
        (true, true) => Ok(Verification::AllowUnsigned),
        (false, true) => bail!(
            "--allow-unsigned together with an auth token: take --allow-unsigned out to check signatures, \
             or unset {TOKEN_VARIABLE} and --auth-token-file to try things out"
        ),
        (true, false) => bail!(
            "there is no auth token to check signatures with: set {TOKEN_VARIABLE} or --auth-token-file, \
             or try things out on this machine with --allow-unsigned"
        ),
    }
}
