//! Provides the target, the commit and the Rust version of the build for `--version` and `/metrics`. Works without git.

use std::env;
use std::path::Path;
use std::process::Command;

/// The variable that names the commit where there is no git, such as in an image.
const COMMIT: &str = "TWIML_COMMIT";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={COMMIT}");
    let target = env::var("TARGET").unwrap_or_default();
    // Only in a release, because otherwise every commit during development would rebuild everything.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = env::var(COMMIT).ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| if is_release { head() } else { None });
    let revision = commit.as_deref().unwrap_or_default();
    println!("cargo:rustc-env=BUILT_REVISION={revision}");
    println!("cargo:rustc-env=BUILT_BY={}", rust().unwrap_or_default());
    let commit = commit.map_or(String::new(), |commit| format!("commit {commit}, "));
    println!("cargo:rustc-env=BUILT_FROM={commit}{target}");
}

/// The commit, if this package is at the top of a clone.
fn head() -> Option<String> {
    // The first line is empty only at the top of a clone, and not where another project contains a copy of this one.
    let told = git(&["rev-parse", "--show-prefix", "--short=12", "HEAD"])?;
    let commit = told.strip_prefix('\n')?.trim();
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"])?;
    for file in ["HEAD", "packed-refs", branch.trim()] {
        let path = git(&["rev-parse", "--git-path", file])?;
        // Cargo treats a missing file as one that has always changed.
        if Path::new(path.trim()).exists() {
            println!("cargo:rerun-if-changed={}", path.trim());
        }
    }
    Some(commit.to_owned())
}

/// The version of the compiler, such as `1.95.0`.
fn rust() -> Option<String> {
    let compiler = env::var_os("RUSTC")?;
    let output = Command::new(compiler).arg("--version").output().ok()?;
    let told = String::from_utf8(output.stdout).ok()?;
    Some(told.split(' ').nth(1)?.to_owned())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let told = String::from_utf8(output.stdout).ok()?;
    Some(told).filter(|_| output.status.success())
}
