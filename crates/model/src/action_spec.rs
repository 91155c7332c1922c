//! What an action's body says, typed, after its expressions were evaluated: what a worker runs (census §1.4, §1.5).

use crate::configuration::Configuration;

/// An evaluated action body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionSpec {
    /// A program.
    Shell(Shell),
    /// A Java main class.
    Java(Java),
    /// Commands on a file system.
    Fs(Fs),
    /// A child workflow.
    SubWorkflow(SubWorkflow),
    /// A mail.
    Email(Email),
    /// A command on another host.
    Ssh(Ssh),
    /// Our own: nothing at all, answered without a process.
    Noop,
    /// A type that this version does not run yet.
    Unavailable {
        /// Its element name.
        kind: String,
    },
}

/// What launched actions share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// `name-node`.
    pub name_node: Option<String>,
    /// `resource-manager` or `job-tracker`.
    pub resource_manager: Option<String>,
    /// `prepare`, in order.
    pub prepare: Vec<Prepare>,
    /// `job-xml` files, in order.
    pub job_xml: Vec<String>,
    /// The inline configuration.
    pub configuration: Configuration,
    /// `file` elements.
    pub files: Vec<FileRef>,
    /// `archive` elements.
    pub archives: Vec<FileRef>,
    /// Whether standard output, or the properties a Java main writes, is kept as the action's data.
    pub capture_output: bool,
}

/// A step of `prepare`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepare {
    /// Delete what the pattern names, missing or not.
    Delete {
        /// A path, may be a glob.
        path: String,
        /// Whether it may be gone for good.
        skip_trash: bool,
    },
    /// Make a directory and its parents.
    Mkdir {
        /// The directory.
        path: String,
    },
}

/// `path#link`: a file or archive to be put into the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// Where it is; relative means under the application directory.
    pub path: String,
    /// The name in the working directory; by default the last part of the path.
    pub link: Option<String>,
}

/// `shell`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shell {
    /// What launched actions share.
    pub launch: Launch,
    /// The program.
    pub exec: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// `env-var` elements, each `NAME=value`.
    pub env_vars: Vec<String>,
}

/// `java`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Java {
    /// What launched actions share.
    pub launch: Launch,
    /// The class with `main`.
    pub main_class: String,
    /// Options of the virtual machine, split into words.
    pub java_opts: Vec<String>,
    /// Arguments of `main`.
    pub args: Vec<String>,
}

/// `fs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fs {
    /// `name-node`, against which paths without a scheme stand.
    pub name_node: Option<String>,
    /// `job-xml` files.
    pub job_xml: Vec<String>,
    /// The inline configuration.
    pub configuration: Configuration,
    /// The commands, in document order.
    pub commands: Vec<FsCommand>,
}

/// A command of `fs` (census §1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FsCommand {
    /// Recursive; glob; missing is fine.
    Delete {
        /// What.
        path: String,
        /// Whether it may be gone for good.
        skip_trash: bool,
    },
    /// With parents; existing is fine.
    Mkdir {
        /// What.
        path: String,
    },
    /// Rename.
    Move {
        /// From; may be a glob.
        source: String,
        /// To.
        target: String,
    },
    /// Permissions.
    Chmod {
        /// What; may be a glob.
        path: String,
        /// Octal or `-rwxr-xr-x`.
        permissions: String,
        /// Whether the files of a directory are meant too.
        dir_files: bool,
        /// Whether everything below is meant.
        recursive: bool,
    },
    /// Create empty, or set its time to now.
    Touchz {
        /// What.
        path: String,
    },
    /// Group.
    Chgrp {
        /// What; may be a glob.
        path: String,
        /// The group's name.
        group: String,
        /// Whether the files of a directory are meant too.
        dir_files: bool,
        /// Whether everything below is meant.
        recursive: bool,
    },
    /// Replication factor of files.
    Setrep {
        /// What.
        path: String,
        /// How many copies.
        factor: i16,
    },
}

/// `sub-workflow`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubWorkflow {
    /// The child's application path.
    pub app_path: String,
    /// Whether the parent's configuration goes down.
    pub propagate_configuration: bool,
    /// The inline configuration, which wins.
    pub configuration: Configuration,
}

/// `email`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Email {
    /// Comma list.
    pub to: String,
    /// Comma list.
    pub cc: Option<String>,
    /// Comma list.
    pub bcc: Option<String>,
    /// Subject line.
    pub subject: String,
    /// Text.
    pub body: String,
    /// By default `text/plain`.
    pub content_type: Option<String>,
    /// Comma list of paths.
    pub attachment: Option<String>,
}

/// `ssh`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssh {
    /// `user@host`.
    pub host: String,
    /// The command.
    pub command: String,
    /// `args` elements: joined with spaces, the far shell splits them (gotcha 38).
    pub args: Vec<String>,
    /// `arg` elements: each kept whole.
    pub arg: Vec<String>,
    /// Whether standard output is kept as the action's data.
    pub capture_output: bool,
}
