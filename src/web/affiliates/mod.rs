//! The affiliates: list, one affiliate, and the forms to add, edit and archive.

mod edit;
mod list;
mod minimum;
mod next;
mod show;
mod statement;

use super::routes::Routes;
use crate::role::Role;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Viewer, "/affiliates", list::index)
        .get(Role::Viewer, "/affiliates.csv", list::export)
        .get(Role::Preparer, "/affiliates/new", edit::new)
        .post(Role::Preparer, "/affiliates", edit::create)
        .get(Role::Viewer, "/affiliates/{id}", show::commissions)
        .get(Role::Viewer, "/affiliates/{id}/payments", show::payments)
        .get(Role::Viewer, "/affiliates/{id}/payments.csv", statement::payments_csv)
        .get(Role::Viewer, "/affiliates/{id}/statement", statement::show)
        .get(Role::Preparer, "/affiliates/{id}/edit", edit::edit)
        .post(Role::Preparer, "/affiliates/{id}", edit::update)
        .post(Role::Preparer, "/affiliates/{id}/archival", edit::archive)
        .post(Role::Preparer, "/affiliates/{id}/restoration", edit::restore)
        .post(Role::Approver, "/affiliates/{id}/release", edit::release)
        .get(Role::Admin, "/affiliates/{id}/minimum", minimum::edit)
        .post(Role::Admin, "/affiliates/{id}/minimum", minimum::save)
}
