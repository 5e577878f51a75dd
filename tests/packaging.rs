//! The package and the page for operators tell the truth about the program.

mod support;

use std::collections::BTreeSet;
use std::fs;

use support::help::{commands, options};
use support::{Folder, program, run, top};

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Our environment variables in a text.
fn variables(text: &str) -> BTreeSet<String> {
    text.match_indices("TWIML_RESPONDER_")
        .map(|(start, _)| {
            text[start..]
                .chars()
                .take_while(|letter| letter.is_ascii_uppercase() || *letter == '_')
                .collect()
        })
        .collect()
}

/// The environment variable of an option.
fn variable(option: &str) -> String {
    format!(
        "TWIML_RESPONDER_{}",
        option.to_uppercase().replace('-', "_")
    )
}

fn variables_of_serve() -> BTreeSet<String> {
    options("serve")
        .iter()
        .map(|option| variable(option))
        .collect()
}

#[test]
fn every_variable_of_the_package_is_an_option_of_serve() {
    let known = variables_of_serve();
    for path in [
        "packaging/twiml-responder.service",
        "packaging/twiml-responder@.service",
        "packaging/twiml-responder.socket",
        "packaging/Containerfile",
        "packaging/kubernetes/deployment.yaml",
        "docs/containers.md",
        "packaging/default",
        "packaging/nginx.conf",
        "packaging/Caddyfile",
        "packaging/maintainer-scripts/postinst",
        "docs/operating.md",
        "README.md",
    ] {
        let named: BTreeSet<String> = variables(&read(path))
            .into_iter()
            .filter(|name| name != "TWIML_RESPONDER_")
            .collect();
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}");
    }
    assert!(
        !variables(&read("packaging/twiml-responder.service")).is_empty(),
        "the unit sets options"
    );
}

#[test]
fn the_file_of_options_has_them_all_and_sets_none() {
    let text = read("packaging/default");
    for line in text.lines() {
        assert!(line.is_empty() || line.starts_with('#'), "{line}");
    }
    // The options that the unit and the sockets set, and those for experiments.
    let elsewhere: BTreeSet<String> = [
        "table",
        "listen",
        "admin",
        "state-dir",
        "allow-unsigned",
        "check",
    ]
    .into_iter()
    .map(variable)
    .collect();
    let named = variables(&text);
    let missing: Vec<_> = variables_of_serve()
        .into_iter()
        .filter(|name| !named.contains(name) && !elsewhere.contains(name))
        .collect();
    assert!(
        missing.is_empty(),
        "packaging/default does not name {missing:?}: add a line for each"
    );
}

/// The options of every command line in the unit and in the page for operators belong to its command.
#[test]
fn every_command_line_is_one_that_the_program_takes() {
    let commands = commands();
    let mut found = 0;
    for path in [
        "packaging/twiml-responder.service",
        "docs/operating.md",
        "docs/containers.md",
    ] {
        for line in read(path).lines() {
            let Some((before, after)) = line.split_once("twiml-responder ") else {
                continue;
            };
            let before = before.trim_start();
            let is_command = matches!(
                before,
                "" | "sudo " | "ExecStart=/usr/bin/" | "ExecReload=/usr/bin/"
            ) || before.ends_with('`');
            if !is_command {
                continue;
            }
            let after = after.split('`').next().unwrap_or_default();
            let mut words = after.split_whitespace();
            let command = words.next().unwrap_or_default().to_owned();
            assert!(commands.contains(&command), "{path}: {line}");
            let known = options(&command);
            for word in words {
                if let Some(option) = word.strip_prefix("--") {
                    assert!(known.contains(&option.to_owned()), "{path}: {line}");
                }
            }
            found += 1;
        }
    }
    assert!(found >= 8, "{found} command lines");
}

/// The unit for another tenant is the first unit with the tenant's name in every path.
#[test]
fn the_unit_for_another_tenant_is_that_of_the_first() {
    let unit = read("packaging/twiml-responder.service");
    let (_, body) = unit.split_once("[Unit]").expect("a section");
    let header = "# The service of another tenant, with its own table, secrets and options: `systemctl enable --now twiml-responder@shop`\n\
         # reads /etc/twiml-responder/shop/ and /etc/default/twiml-responder-shop. A test generates this file from\n\
         # twiml-responder.service.\n\n[Unit]";
    let mut body = body.to_owned();
    for (of_one, of_many) in [
        ("twiml-responder.socket", "twiml-responder@%i.socket"),
        (
            "twiml-responder-admin.socket",
            "twiml-responder-admin@%i.socket",
        ),
        ("=/etc/twiml-responder", "=/etc/twiml-responder/%i"),
        (":/etc/twiml-responder", ":/etc/twiml-responder/%i"),
        (
            "/etc/default/twiml-responder",
            "/etc/default/twiml-responder-%i",
        ),
        ("%S/twiml-responder", "%S/twiml-responder-%i"),
        (
            "StateDirectory=twiml-responder",
            "StateDirectory=twiml-responder-%i",
        ),
        (
            "webhooks from /etc/twiml-responder/responses.toml",
            "webhooks from /etc/twiml-responder/%i/responses.toml",
        ),
    ] {
        body = body.replace(of_one, of_many);
    }
    let expected = format!("{header}{body}");
    let path = "packaging/twiml-responder@.service";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(top().join(path), &expected).expect("it is written");
    }
    assert_eq!(read(path), expected, "UPDATE=1 cargo test --test packaging");
    // Nothing of the first tenant may be left.
    for line in expected.lines().filter(|line| !line.starts_with('#')) {
        let is_shared = line.contains("/usr/") || line.contains("@%i.") || line.contains("%i");
        assert!(!line.contains("twiml-responder") || is_shared, "{line}");
    }
}

/// A port that is in use costs health and metrics, not answers.
#[test]
fn the_service_needs_its_webhook_socket_and_only_wants_the_other() {
    for unit in ["twiml-responder.service", "twiml-responder@.service"] {
        let unit = read(&format!("packaging/{unit}"));
        let line = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key));
        assert!(!line("Requires=").expect("sockets").contains("admin"));
        assert!(line("Wants=").expect("sockets").contains("admin"));
    }
    assert!(read("packaging/twiml-responder-admin.socket").contains("ListenStream=127.0.0.1:9480"));
}

#[test]
fn the_table_for_kubernetes_is_that_of_the_package() {
    let ours = read("packaging/responses.toml");
    assert_eq!(ours, read("packaging/kubernetes/responses.toml"));
}

#[test]
fn the_table_of_the_package_is_fine_as_it_is_and_with_its_first_route() {
    let folder = Folder::new("packaged-table");
    let text = read("packaging/responses.toml");
    let start = text.find("# [directory.").expect("it has an example");
    let (comment, example) = text.split_at(start);
    let with_route: String = example
        .lines()
        .map(|line| line.strip_prefix('#').map_or(line, str::trim_start))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_ne!(with_route, example);
    for table in [text.clone(), format!("{comment}{with_route}")] {
        let path = folder.write("responses.toml", &table);
        let ran = run(program().args(["check", "--deny-warnings"]).arg(path));
        assert_eq!(ran.code, Some(0), "{}{table}", ran.stdout);
    }
}
