//! The example plans of `plans/`: each is loaded, run against local servers, and looked at from both ends.

mod basket_totals;
mod bursts;
mod contact_form;
mod daily_digest;
mod daily_limit;
mod failure_desk;
mod fallback;
mod fan_out;
mod files;
mod flow_control;
mod folder;
mod github_webhook;
mod hello;
mod inbox_folder;
mod inbox_mail;
mod invoice_numbers;
mod local_services;
mod new_articles;
mod new_releases;
mod newsletter;
mod offline;
mod order;
mod orders_data;
mod orders_report;
mod orders_since_last_time;
mod partner_answer;
mod partner_record;
mod patterns;
mod poll_until_ready;
mod prices_from_a_page;
mod reference;
mod refund_by_mail;
mod run_summary;
mod serving;
mod shop_feed;
mod signed_link;
mod stock_with_jq;
mod stripe_payments;
mod trip;
mod weather_cached;
mod welcome_team;
mod world;

/// Every plan file that has a test; `folder` compares it with what is there.
const TESTED: &[&str] = &[
    basket_totals::PLAN,
    bursts::CHANGED,
    bursts::SETTLED,
    contact_form::PLAN,
    daily_digest::PLAN,
    daily_limit::PLAN,
    failure_desk::PLAN,
    fallback::PLAN,
    fan_out::PLAN,
    flow_control::ALERT,
    flow_control::BUILD,
    flow_control::IMPORT,
    flow_control::ORDER,
    flow_control::SPREAD,
    files::ORDERS,
    files::PASSED_ON,
    files::UPLOAD,
    files::SUM,
    files::ROWS,
    files::WORKBOOK,
    files::PDF,
    files::TIDY,
    github_webhook::PLAN,
    hello::PLAN,
    inbox_folder::PLAN,
    inbox_mail::PLAN,
    invoice_numbers::PLAN,
    local_services::PLAN,
    new_articles::PLAN,
    new_releases::PLAN,
    newsletter::PLAN,
    offline::CONTACTS,
    offline::LOG,
    offline::MESSAGE,
    offline::PAGE,
    offline::SETTINGS,
    offline::WHO,
    order::PLAN,
    orders_report::PLAN,
    orders_since_last_time::PLAN,
    partner_answer::PLAN,
    partner_record::PLAN,
    run_summary::PLAN,
    shop_feed::PLAN,
    patterns::POSITIONS,
    patterns::QUICK_LOOK,
    patterns::REPORT,
    poll_until_ready::PLAN,
    prices_from_a_page::PLAN,
    refund_by_mail::PLAN,
    signed_link::PLAN,
    stock_with_jq::PLAN,
    stripe_payments::PLAN,
    trip::PLAN,
    weather_cached::PLAN,
    welcome_team::PLAN,
];
