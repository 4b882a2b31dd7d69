//! The commissions: the lists beside what is due, one by hand, and taking some back before they are paid.

mod add;
mod cancel;
mod lists;
mod paid;

use super::routes::Routes;
use crate::role::Role;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Viewer, "/affiliate_payments/upcoming", lists::upcoming)
        .get(Role::Viewer, "/affiliate_payments/upcoming.csv", lists::export_upcoming)
        .get(Role::Viewer, "/affiliate_payments/processing", lists::processing)
        .get(Role::Viewer, "/affiliate_payments/processing.csv", lists::export_processing)
        .get(Role::Viewer, "/affiliate_payments/all", lists::all)
        .get(Role::Viewer, "/affiliate_payments/all.csv", lists::export_all)
        .get(Role::Viewer, "/affiliate_payments/paid", paid::index)
        .get(Role::Viewer, "/affiliate_payments/paid.csv", paid::export)
        .get(Role::Preparer, "/commissions/new", add::new)
        .get(Role::Preparer, "/commissions/affiliates", add::suggest)
        .post(Role::Preparer, "/commissions", add::create)
        .get(Role::Preparer, "/commissions/cancellation", cancel::review)
        .post(Role::Preparer, "/commissions/cancellation", cancel::create)
}
