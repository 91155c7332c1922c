//! The statement for a page of jobs: only the conditions that a filter names, values always as arguments.
//!
//! Which index serves it: `job_created` for everybody's jobs, newest first, and for a span of time; `job_status`, `job_user`,
//! `job_name`, `job_parent` or the primary key when the filter names that column. Sorting by last change reads all that
//! match, on purpose: see `migrations/both/0001_tables.sql`. `text=` reads all that match the rest.

use std::fmt::Arguments;

use ports::store::JobFilter;

use crate::query::Arg;
use crate::rows::indexed;

/// What a filter comes to.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) page_sql: String,
    pub(crate) page_args: Vec<Arg>,
    pub(crate) total_sql: String,
    pub(crate) total_args: Vec<Arg>,
}

pub(crate) fn wanted(filter: &JobFilter) -> Wanted {
    let mut conditions = Conditions { sql: "kind = 'W'".to_owned(), args: vec![] };
    conditions.add_all(filter);
    let Conditions { sql, args: total_args } = conditions;
    let order = if filter.by_last_modified {
        "changed_at DESC, id DESC"
    } else {
        "created_at DESC, id DESC"
    };
    let mut page_args = total_args.clone();
    page_args.extend([Arg::Number(filter.len.into()), Arg::Number(filter.offset.into())]);
    let (len, offset) = (page_args.len() - 1, page_args.len());
    Wanted {
        page_sql: format!(
            "SELECT header FROM job WHERE {sql} ORDER BY {order} LIMIT ${len} OFFSET ${offset}"
        ),
        page_args,
        total_sql: format!("SELECT count(*) AS jobs FROM job WHERE {sql}"),
        total_args,
    }
}

struct Conditions {
    sql: String,
    args: Vec<Arg>,
}

impl Conditions {
    fn add_all(&mut self, filter: &JobFilter) {
        self.any_of("id", filter.ids.clone());
        self.any_of("user_name", cut(&filter.users));
        self.any_of("group_name", cut(&filter.groups));
        self.any_of("name", cut(&filter.names));
        self.any_of(
            "status",
            filter.statuses.iter().map(|status| status.as_str().to_owned()).collect(),
        );
        self.any_part(&filter.texts);
        self.at_least("created_at >=", filter.created_from.map(|at| at.0));
        self.at_least("created_at <=", filter.created_to.map(|at| at.0));
        self.any_of("parent", filter.parent.iter().map(|job| job.as_str().to_owned()).collect());
    }

    /// One value by `=`: then an index also gives the order of the page.
    fn any_of(&mut self, column: &str, mut values: Vec<String>) {
        if values.len() > 1 {
            let n = self.arg(Arg::Texts(values));
            self.and(format_args!("{column} = ANY(${n})"));
        } else if let Some(value) = values.pop() {
            let n = self.arg(Arg::Text(value));
            self.and(format_args!("{column} = ${n}"));
        }
    }

    fn at_least(&mut self, comparison: &str, value: Option<i64>) {
        if let Some(value) = value {
            let n = self.arg(Arg::Number(value));
            self.and(format_args!("{comparison} ${n}"));
        }
    }

    fn any_part(&mut self, texts: &[String]) {
        if texts.is_empty() {
            return;
        }
        let parts: Vec<String> = texts.iter().map(|text| self.part(text)).collect();
        self.and(format_args!("({})", parts.join(" OR ")));
    }

    fn part(&mut self, text: &str) -> String {
        let n = self.arg(Arg::Text(text.to_owned()));
        format!("strpos(id, ${n}) > 0 OR strpos(name, ${n}) > 0 OR strpos(user_name, ${n}) > 0")
    }

    fn and(&mut self, condition: Arguments<'_>) {
        self.sql.extend([" AND ", &condition.to_string()]);
    }

    fn arg(&mut self, arg: Arg) -> usize {
        self.args.push(arg);
        self.args.len()
    }
}

fn cut(values: &[String]) -> Vec<String> {
    values.iter().map(|value| indexed(value).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_filter_names_is_asked() {
        let filter = JobFilter {
            users: vec!["joe".to_owned(), "ann".to_owned()],
            names: vec!["etl".to_owned()],
            texts: vec!["a".to_owned(), "b".to_owned()],
            len: 50,
            ..JobFilter::default()
        };
        let wanted = wanted(&filter);
        assert_eq!(
            wanted.total_sql,
            "SELECT count(*) AS jobs FROM job WHERE kind = 'W' AND user_name = ANY($1) AND name = $2 AND \
             (strpos(id, $3) > 0 OR strpos(name, $3) > 0 OR strpos(user_name, $3) > 0 OR \
             strpos(id, $4) > 0 OR strpos(name, $4) > 0 OR strpos(user_name, $4) > 0)"
        );
        assert!(
            wanted.page_sql.ends_with("ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6"),
            "{}",
            wanted.page_sql
        );
        assert_eq!((wanted.total_args.len(), wanted.page_args.len()), (4, 6));
    }
}
