//! Starts Debian's image registry, `docker-registry`, and finds a client for it.

use crate::install::{apt, program};
use crate::server::Server;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a registry asks its clients for tokens.
#[derive(Clone, Debug)]
pub struct TokenAuth {
    /// Address of the token endpoint.
    pub realm: String,
    /// Name of the registry.
    pub service: String,
    /// Name of the token issuer.
    pub issuer: String,
    /// File with the certificate of the key that signs the tokens.
    pub certificate: PathBuf,
}

/// A registry on a port of 127.0.0.1, without TLS.
pub struct DockerRegistry(Server);

impl DockerRegistry {
    /// Installs the registry if needed, and starts it. It keeps its images in the folder `root`. Without `auth`, everybody may push
    /// and pull.
    pub fn start(root: &Path, auth: Option<&TokenAuth>) -> DockerRegistry {
        let program = apt("docker-registry", || program(&["/usr/bin/docker-registry"]));
        DockerRegistry(Server::start(|port, folder| {
            let mut config = format!(
                "version: 0.1\nlog: {{level: info}}\nhttp: {{addr: '127.0.0.1:{port}'}}\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\n",
                root.display()
            );
            if let Some(TokenAuth { realm, service, issuer, certificate }) = auth {
                let bundle = certificate.display();
                // Writing to a string never fails.
                let _ = writeln!(
                    config,
                    "auth: {{token: {{realm: '{realm}', service: '{service}', issuer: '{issuer}', rootcertbundle: '{bundle}'}}}}"
                );
            }
            let file = folder.join("config.yml");
            std::fs::write(&file, config).expect("the configuration of the registry");
            let mut command = Command::new(program);
            command.arg("serve").arg(file);
            command
        }))
    }

    /// Returns `127.0.0.1:PORT`, which is the registry in the name of an image.
    pub fn host(&self) -> String {
        self.0.address().to_string()
    }

    /// Returns the server process.
    pub fn server(&self) -> &Server {
        &self.0
    }
}

/// Returns a command of `skopeo`, a client of registries; installs it if needed.
pub fn skopeo() -> Command {
    let mut command = Command::new(apt("skopeo", || program(&["/usr/bin/skopeo"])));
    // The file of policies is in another package. Signatures of images do not matter here.
    command.arg("--insecure-policy");
    command
}

/// Returns a command of `openssl`; installs it if needed.
pub fn openssl() -> Command {
    Command::new(apt("openssl", || program(&["/usr/bin/openssl"])))
}
