//! Oozie writes long options with one dash: `-config job.properties -run`. This turns them into what clap reads.
//!
//! The rules are those of Oozie's parser (the GNU style of commons-cli): one dash or two, the value in the next word or
//! after `=`, `-Dname=value` in one word or two; a value may begin with a dash unless it is itself an option.
//! Which options exist is read off the clap command, so there is one table of them.

use std::collections::BTreeMap;

use clap::{ArgAction, Command};

/// Turns the words after the sub-command's name into clap's spelling.
///
/// # Errors
/// What Oozie's parser says about the first word that it cannot place.
pub fn to_clap(command: &Command, words: &[String]) -> Result<Vec<String>, String> {
    let options = Options::of(command);
    let mut done = Vec::with_capacity(words.len());
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        if word == "--" {
            done.push(word.clone());
            done.extend(rest.cloned());
            return Ok(done);
        }
        let Some(option) = options.read(word)? else {
            done.push(word.clone());
            continue;
        };
        let joined = match (option.takes_value, option.value) {
            (false, None) => option.spelling,
            (true, Some(value)) => format!("{}={value}", option.spelling),
            (false, Some(value)) => {
                return Err(format!(
                    "Unrecognized option: {word} (it takes no value, not `{value}`)"
                ));
            }
            (true, None) => match rest.next_if(|next| !options.knows(next)) {
                Some(value) => format!("{}={value}", option.spelling),
                None if option.optional => option.spelling,
                None => return Err(format!("Missing argument for option: {}", option.name)),
            },
        };
        done.push(joined);
    }
    Ok(done)
}

struct Options {
    /// Names as written after the dashes, with how clap wants them.
    known: BTreeMap<String, Known>,
}

struct Known {
    spelling: String,
    takes_value: bool,
    optional: bool,
}

/// An option as found in a word.
struct Found {
    name: String,
    spelling: String,
    takes_value: bool,
    optional: bool,
    value: Option<String>,
}

impl Options {
    fn of(command: &Command) -> Options {
        let mut known = BTreeMap::new();
        let mut put = |name: String, spelling: String, takes_value: bool, optional: bool| {
            known.insert(name, Known { spelling, takes_value, optional });
        };
        for arg in command.get_arguments() {
            let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
            let optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
            if let Some(long) = arg.get_long() {
                put(long.to_owned(), format!("--{long}"), takes_value, optional);
            }
            if let Some(short) = arg.get_short() {
                put(short.to_string(), format!("-{short}"), takes_value, optional);
            }
        }
        put("help".to_owned(), "-h".to_owned(), false, false);
        put("h".to_owned(), "-h".to_owned(), false, false);
        Options { known }
    }

    /// The option that a word is; `None` for a plain word.
    fn read(&self, word: &str) -> Result<Option<Found>, String> {
        if !word.starts_with('-') || word == "-" {
            return Ok(None);
        }
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or(word);
        if let Some(known) = self.known.get(name) {
            return Ok(Some(known.found(name, None)));
        }
        if let Some((before, value)) = name.split_once('=')
            && let Some(known) = self.known.get(before)
        {
            return Ok(Some(known.found(before, Some(value))));
        }
        // `-Dname=value`: a one-letter option with its value in the same word.
        let first = name.chars().next().map(String::from).unwrap_or_default();
        match self.known.get(&first) {
            Some(known) if known.takes_value => {
                Ok(Some(known.found(&first, Some(&name[first.len()..]))))
            }
            _ => Err(format!("Unrecognized option: {word}")),
        }
    }

    /// Whether a word is an option, so that it cannot be the value of the one before it.
    fn knows(&self, word: &str) -> bool {
        matches!(self.read(word), Ok(Some(_)))
    }
}

impl Known {
    fn found(&self, name: &str, value: Option<&str>) -> Found {
        Found {
            name: name.to_owned(),
            spelling: self.spelling.clone(),
            takes_value: self.takes_value,
            optional: self.optional,
            value: value.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn command() -> Command {
        Command::new("job")
            .arg(Arg::new("config").long("config").action(ArgAction::Set))
            .arg(Arg::new("timeout").long("timeout").action(ArgAction::Set))
            .arg(Arg::new("run").long("run").action(ArgAction::SetTrue))
            .arg(Arg::new("lib").long("shareliblist").action(ArgAction::Set).num_args(0..=1))
            .arg(Arg::new("define").short('D').action(ArgAction::Append))
            .arg(Arg::new("follow").long("follow").short('f').action(ArgAction::SetTrue))
            .arg(Arg::new("file"))
    }

    #[track_caller]
    fn check(words: &str, expected: &str) {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let answer = to_clap(&command(), &words)
            .map_or_else(|error| format!("! {error}"), |done| done.join(" "));
        assert_eq!(answer, expected);
    }

    #[test]
    fn oozie_options_become_claps() {
        check("-config job.properties -run", "--config=job.properties --run");
        check("--config job.properties --run", "--config=job.properties --run");
        check("-config=job.properties", "--config=job.properties");
        check("-config a=b", "--config=a=b");
        check("-Dx=1 -D y=2 -D=z", "-D=x=1 -D=y=2 -D=z");
        check("-timeout -1 -run", "--timeout=-1 --run");
        check("file.xml -run", "file.xml --run");
        check("-f --follow", "-f --follow");
        check("-shareliblist -run", "--shareliblist --run");
        check("-shareliblist pig", "--shareliblist=pig");
        check("-run -- -config", "--run -- -config");
        check("-help", "-h");
        check("- -run", "- --run");
    }

    #[test]
    fn what_cannot_be_placed_is_named_as_oozie_does() {
        check("-confg x", "! Unrecognized option: -confg");
        check("-config -run", "! Missing argument for option: config");
        check("-run -config", "! Missing argument for option: config");
        check("-run=yes", "! Unrecognized option: -run=yes (it takes no value, not `yes`)");
    }
}
