//! One suite of facts for both stores, SQLite and a real PostgreSQL, and what only one of them can show.

mod definitions;
mod fences;
mod history;
mod lists;
mod postgres_only;
mod proxy;
mod rows;
#[path = "../samples/mod.rs"]
mod samples;
mod sqlite_only;

use model::Nonce;
use store_sql::{PostgresStore, SqliteStore};
use tempfile::TempDir;
use testkit::postgres::Postgres;

use crate::samples::new_cluster;

async fn sqlite() -> (SqliteStore, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    (SqliteStore::open(dir.path(), &new_cluster()).await.expect("it opens"), dir)
}

async fn postgres() -> PostgresStore {
    let url = Postgres::shared().database();
    PostgresStore::open(&url, Nonce(1), &new_cluster()).await.expect("it opens")
}

macro_rules! on_both_stores {
    ($($module:ident :: $fact:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                let (store, _dir) = super::sqlite().await;
                super::$module::$fact(&store).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$module::$fact(&super::postgres().await).await;
            })+
        }
    };
}

on_both_stores! {
    rows::every_field_comes_back,
    rows::a_job_without_optional_fields_comes_back,
    rows::a_row_that_is_written_again_is_replaced,
    rows::actions_that_are_gone_do_not_come_back,
    rows::hundreds_of_rows_go_in_at_once,
    rows::a_purged_job_takes_everything_with_it,
    rows::a_definition_and_a_submission_stay_what_they_were,
    rows::the_newest_job_with_an_external_id_is_found,
    rows::quarantined_events_come_newest_first,
    rows::what_can_never_be_stored_is_rejected_and_changes_nothing,
    definitions::a_definition_goes_with_the_last_job_that_needs_it,
    fences::the_cluster_is_as_it_was_created,
    fences::a_stale_fence_changes_nothing_anywhere,
    fences::a_line_that_is_there_already_changes_nothing_anywhere,
    fences::a_take_shuts_out_the_former_owner,
    fences::takes_that_race_give_every_owner_another_epoch,
    fences::a_load_after_a_take_sees_the_last_batch,
    fences::a_release_is_for_the_term_that_owns,
    fences::serials_never_go_back,
    fences::live_jobs_are_those_with_something_left_to_do,
    history::lines_are_dense_and_in_order,
    lists::a_filter_takes_what_matches,
    lists::pages_are_newest_first_and_know_the_total,
    lists::jobs_are_counted_by_status,
    lists::a_family_is_everybody_above_and_below,
    lists::a_tree_is_purgeable_when_all_of_it_ended_long_ago,
}
