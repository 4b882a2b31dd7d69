//! CSV files on their way in: upload, columns, check, import; and what became of them.

mod files;
mod mapping;
mod show;
mod upload;

use super::routes::Routes;
use crate::role::Role;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Viewer, "/imports", show::index)
        .get(Role::Viewer, "/imports/example/{kind}", files::example)
        .get(Role::Preparer, "/imports/new", upload::which)
        .get(Role::Preparer, "/imports/new/{kind}", upload::new)
        .upload(Role::Preparer, "/imports/new/{kind}", upload::create)
        .get(Role::Viewer, "/imports/{id}", show::show)
        .get(Role::Preparer, "/imports/{id}/mapping", mapping::edit)
        .post(Role::Preparer, "/imports/{id}/mapping", mapping::update)
        .post(Role::Preparer, "/imports/{id}/confirmation", show::confirm)
        .post(Role::Preparer, "/imports/{id}/removal", show::remove)
        .get(Role::Viewer, "/imports/{id}/problems.csv", files::problems)
}
