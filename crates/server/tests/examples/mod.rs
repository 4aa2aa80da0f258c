//! The example plans of `plans/`: each is loaded, run against local servers, and looked at from both ends.

mod basket_totals;
mod daily_digest;
mod failure_desk;
mod fallback;
mod fan_out;
mod files;
mod folder;
mod github_webhook;
mod hello;
mod local_services;
mod newsletter;
mod order;
mod orders_data;
mod orders_report;
mod poll_until_ready;
mod prices_from_a_page;
mod serving;
mod signed_link;
mod stock_with_jq;
mod stripe_payments;
mod trip;
mod welcome_team;
mod world;

/// Every plan file that has a test; `folder` compares it with what is there.
const TESTED: [&str; 23] = [
    basket_totals::PLAN,
    daily_digest::PLAN,
    failure_desk::PLAN,
    fallback::PLAN,
    fan_out::PLAN,
    files::ORDERS,
    files::PASSED_ON,
    files::UPLOAD,
    files::SUM,
    files::TIDY,
    github_webhook::PLAN,
    hello::PLAN,
    local_services::PLAN,
    newsletter::PLAN,
    order::PLAN,
    orders_report::PLAN,
    poll_until_ready::PLAN,
    prices_from_a_page::PLAN,
    signed_link::PLAN,
    stock_with_jq::PLAN,
    stripe_payments::PLAN,
    trip::PLAN,
    welcome_team::PLAN,
];
