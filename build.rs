//! Tells `--version` for which target the program is built, and from which commit. Works without git.

use std::env;
use std::path::Path;
use std::process::Command;

/// The variable that names the commit where there is no git, as in an image.
const COMMIT: &str = "TWIML_COMMIT";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={COMMIT}");
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo:rustc-env=BUILT_FOR={target}");
    // Only a release, or every commit would build everything again while one works on it.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = env::var(COMMIT).ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| if is_release { head() } else { None });
    let commit = commit.map_or(String::new(), |commit| format!("commit {commit}, "));
    println!("cargo:rustc-env=BUILT_FROM={commit}");
}

/// The commit of the clone that this is the top of.
fn head() -> Option<String> {
    // The first line is empty at the top of a clone only: not where another project has a copy of this one.
    let told = git(&["rev-parse", "--show-prefix", "--short=12", "HEAD"])?;
    let commit = told.strip_prefix('\n')?.trim();
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"])?;
    for file in ["HEAD", "packed-refs", branch.trim()] {
        let path = git(&["rev-parse", "--git-path", file])?;
        // Cargo takes a file that is not there for one that always changes.
        if Path::new(path.trim()).exists() {
            println!("cargo:rerun-if-changed={}", path.trim());
        }
    }
    Some(commit.to_owned())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let told = String::from_utf8(output.stdout).ok()?;
    Some(told).filter(|_| output.status.success())
}
