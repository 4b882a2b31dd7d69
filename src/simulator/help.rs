//! The part of the program's help that people check against: addresses, test values, doors and fault rules.

/// The forms of a fault rule.
pub const FAULTS: &str = r#"FAULT RULES
  POST /_simulator/faults takes a JSON list of rules and adds them to those at work (all of them, or none and 400).
  GET shows the rules with "seen" (calls counted) and "fired" (calls struck); DELETE clears them. A rule is
    {"call": "create", "nth": 1, "times": 1, "what": "cut_after"}
  call   token, create, show_batch, show_item, cancel, or any (these five, counted together); webhooks, event_types,
         events, resend, verify, cert, balances; or delivery (an event on its way to one webhook)
  nth    which of these calls it strikes first, counted from the rule's creation; default 1
  times  how many of them it strikes, one after the other; default 1
  what   delay            carried out at once, answered after "ms" milliseconds
         delay_before     carried out after "ms" milliseconds, also when the caller has hung up by then
         status           not carried out; answered with "status" (400 to 599)
         status_after     carried out; answered with "status" all the same
                          both take "name" (of the error), "body" (instead of PayPal's envelope: JSON, or a string
                          that is sent as HTML) and "retry_after" (seconds, a header)
         cut_before       not carried out; the connection is reset without an answer
         cut_after        carried out; the connection is reset without an answer
         cut_body         carried out; the connection ends in the middle of the answer's body
         garbage          carried out; the body is an HTML page        garbage_before      the same, not carried out
         broken_json      carried out; the JSON ends too early         broken_json_before  the same, not carried out
         empty            carried out; the body is {}                  empty_before        the same, not carried out
         slow_body        carried out; the body dribbles in over "ms" milliseconds
         rate_limit       not carried out; 429, with "retry_after" (seconds) or without
         expire_tokens    every token given out so far becomes invalid, then the call is carried out (401)
         duplicate_without_link  create only: a duplicate answer has no link to the first batch
         denied           create only: the batch accepted by this call ends DENIED, its items with the error "name"
                          (default INSUFFICIENT_FUNDS)
         settle_after     create only: the batch accepted by this call takes "ms" milliseconds to be processed
         events_first     create only: the batch accepted by this call is finished at once, and the call is answered
                          after its events were sent to the webhooks
  Every rule counts every call it watches; of several that would strike one call, the oldest does. Deliveries are
  counted when their event happens; all rules that would strike one do. Their own whats are
         delay            sent "ms" milliseconds later             lose        never sent; the event list has it
         shuffle          sent at a moment within "ms" milliseconds, by chance, so that events come in any order
         duplicate        sent twice, each with an id of its transmission, and shuffled each for itself
         forge_signature, forge_body, forge_webhook (signed for the id WEBHOOK_ID), forge_certificate (the certificate is
         at the right address, and no authority vouches for it), forge_host (the certificate is at another host):
                          the first try is forged so; when it is refused, the genuine event follows as a second try

FAULTS OF THE DROPZONE
  The same rules, with calls of their own; as with deliveries, all rules that would strike do.
  connect  a connection:      refuse        it ends before a word       refuse_key   no key is good enough
  upload   a file is opened to be written:
                              cut           the connection ends when "bytes" of it have come; these stay there
                              slow          each packet takes "ms"
                              full          what comes after "bytes" is refused: no space left
                              grab          it is picked up with its first "bytes"; its writer notices nothing
  list     a folder is listed: slow         after "ms"
  pick_up  a file is picked up: delay       "ms" later                  lose         never looked at; its name is free
                              reject        with a NACK of the error "name", such as SANDBOX_LIMIT_ERROR
  answer   an answer, or ack, nack, dups for one kind of it:
                              lose, delay ("ms"), upper_case (its name), truncate, html
                              late_nack     ack only: a NACK follows after "ms"
                              late_ack      nack only: an ACK follows after "ms"
                              dup_spelling  dups only: the name ends in _dup.csv
  report   a report, or part, out, final for one kind of it:
                              lose, delay ("ms"), upper_case, lower_case (its name), truncate, html
                              copy          it comes under a second name as well, with _1 before .csv
                              columns       its rows end after 8 columns     header       a row of column names is first
                              fourteen      every row has 14 columns         gzip         compressed, as .csv.gz
                              unknown_row   one row more, of UNKNOWN_REF     missing_row  one row less
  Answers and reports are counted when they are made, by the simulator's clock; cut connections and slow packets by the
  wall's."#;

/// Everything else that is worth knowing, with the rules above.
pub fn text() -> String {
    format!("{ADDRESSES}\n\n{WEBHOOKS}\n\n{MAGIC}\n\n{DROPZONE}\n\n{DOORS}\n\n{FAULTS}")
}

const ADDRESSES: &str = r#"RECEIVERS
  A batch is PENDING, then PROCESSING, then after --settle-after SUCCESS. What becomes of an item follows from the
  part of its address before the @, ignoring case; the first word found counts:
    denied-batch   the whole batch is DENIED (REFUSED_ACTION_DENIED), which frees its sender_batch_id
    self-pay       FAILED, SELF_PAY_NOT_ALLOWED; so is the sender's own address, CLIENT_ID@business.example.com
    unregistered   UNCLAIMED, RECEIVER_UNREGISTERED; RETURNED after 30 days (unclaimed: the same)
    unconfirmed    UNCLAIMED, RECEIVER_UNCONFIRMED; RETURNED after 30 days
    claims-later   UNCLAIMED, then SUCCESS after 2 days (--claimed-after)
    onhold         ONHOLD, RECEIVER_ACCOUNT_LIMITATION; RETURNED after 30 days
    failed         FAILED, RECEIVER_ACCOUNT_LOCKED; failed+risk_decline@... gives RISK_DECLINE, and so on
    blocked        BLOCKED, REGULATORY_BLOCKED
    locked         FAILED, RECEIVER_ACCOUNT_LOCKED
    refunded       SUCCESS, then REFUNDED after 12 hours (--refunded-after)
    reversed       SUCCESS, then REVERSED after 12 hours (--reversed-after)
    returned       RETURNED at once
    pending        stays PENDING, REGULATORY_PENDING
  Every other address is paid. A PAYPAL_ID is paid when it is 13 capitals and digits, else it is FAILED,
  RECEIVER_ACCOUNT_INVALID. Of items with one sender_item_id in one batch all but the first are FAILED, DUPLICATE_ITEM.
  A batch of one item that is FAILED ends DENIED. A batch whose amount and fees (2 %) are above the balance in its
  currency is DENIED, INSUFFICIENT_FUNDS. Accounts start with 100,000,000 in each of the 24 currencies."#;

const WEBHOOKS: &str = r#"WEBHOOKS AND BALANCES
  /v1/notifications/webhooks registers, lists, changes and deletes webhooks, ten an app at most; there are
  .../webhooks-event-types, .../webhooks-events (with filters and pages) and .../verify-webhook-signature. As PayPal,
  the simulator takes https addresses on port 443; it also takes http on loopback (127.0.0.1, localhost), which PayPal
  does not. Each change of a batch or an item is an event for the webhooks that are subscribed at that moment, except
  that pending and reversed items have none. It is signed as PayPal signs, with a certificate of an authority that the
  simulator makes at its start: the certificate is served below /v1/notifications/certs/ of the address by which the
  app knows the simulator, the authority's root at /_simulator/ca.pem. What is not answered with a 2xx within 30 seconds
  is sent again, 25 times over three days of the simulator's clock, wherever that clock is moved to.
  GET /v1/reporting/balances shows what the account has now, whatever as_of_time says."#;

const MAGIC: &str = r#"TEST VALUES (PayPal's own)
  Create, as the whole note of the first item: ERRPYO001 SENDER_RESTRICTED 403, 002 SENDER_EMAIL_UNCONFIRMED 403,
    003 AUTHORIZATION_ERROR 403, 005 INSUFFICIENT_FUNDS 422, 006 INTERNAL_ERROR 500, 010 VALIDATION_ERROR 400,
    011 REQUIRED_SCOPE_MISSING 403, 012 SENDER_LOCKED 403, 014 USER_BUSINESS_ERROR 400, 035 RATE_LIMIT_REACHED 429,
    036 REQUEST_TIMEOUT_EXCEEDED 504, 037 SYNC_MODE_NOT_APPLICABLE 403, 038 NON_HOLDING_CURRENCY 400,
    039 PREVIOUS_REQUEST_IN_PROGRESS 409, 040 CIP_NOT_VERIFIED 403; as sender_batch_id: ERRPYO013 VALIDATION_ERROR
  Show batch, as its id: POSPYO002, ERRPYOB001 SUCCESS, 002 PENDING, 003 PROCESSING, 004 DENIED; ERRPYOB005 to 015 and
    ERRPYO015 to 034 and 060: a batch whose one item has an error
  Show item: POSPOI001; ERRPYO041 to 059 and 061, ERRPYOB016 to 026: an item with an error
  Cancel: POSPOI002; ERRPOI001 INVALID_RESOURCE_ID 404, ERRPYO004 BATCH_NOT_COMPLETED, 007 ITEM_ALREADY_CANCELLED,
    008 ITEM_CANCELLATION_FAILED, 009 ITEM_INCORRECT_STATUS, all 400"#;

const DROPZONE: &str = r#"DROPZONE (Large Batch files over SFTP, with --dropzone)
  Public keys only: ssh-ed25519 and ecdsa-sha2. Each account has the folders /Incoming and /Outgoing; a client may write
  into Incoming and read everything, and neither rename nor remove. A file is picked up --pick-up-after its last byte,
  whole or not. Names are pp_payouts_EPOCH_REFERENCE.csv or .csv.gz; a time of at most seven days ahead is when the file
  is paid. Then comes <name>_ack.csv, or _nack.csv with every error of PayPal's page; and as the batch is paid, over
  --settle-after, <NAME>_<first>_<last>.csv for each part (--part-size), then <NAME>_OUT.csv, and 31 days later
  <NAME>_FINAL.csv. The page samples their names in capitals, and so are they here.
  Where PayPal contradicts itself or is silent, the simulator is strict: subjects have at most 255 characters, reference
  ids 30, recipients 127 (INVALID_FILE_FORMAT); no blank lines, byte order marks or spaces at commas; lines end in LF or
  CRLF; a record is one line. The summary's currency is CURRENCY_INVALID, an item's INVALID_CURRENCY; a note that is too
  long is EMAIL_MESSAGE_EXCEEDED_MAX_SIZE; items are numbered from 1. A name that was ever picked up is answered with
  _dups.csv, whatever its letter case and with or without .gz; the content of an accepted file is refused for seven days
  under another name with DUPLICATE_FILE, which is the simulator's own word. Only a malformed name stays free.
  What an address looks like is no check of the file: an item to none is FAILED, INVALID_EMAIL_ID. A file beyond the
  balance, or of an app that may not pay, fails as a whole. REST calls do not show what came in a file (404), and there
  are no events of it: neither is documented."#;

const DOORS: &str = r#"DOORS
  GET  /                   a page on which a person plays PayPal: everything below, with buttons
  GET  /_simulator/bank    every account with its balances; every batch and item with what became of its money:
                           "money_moved" is what the receiver has or what is reserved for them (PENDING in processing,
                           SUCCESS, UNCLAIMED, ONHOLD), else 0; "payments" is 1 or 0 accordingly; "fee" is what was
                           charged. An account's opening balance is always its balance plus all money_moved and fees,
                           until somebody sets a balance. A batch that came in a file has its "file_name". With
                           ?summary=1 "states" (count, amount, money_moved, fee of each) takes the place of "items".
  GET  /_simulator/calls   "counts" of each call, and "calls", the last 500 with time, status and fault
  GET  /_simulator/clock   {"now": ..., "offset_seconds": N}; POST {"offset_seconds": N} sets the whole offset,
                           {"advance_seconds": N} adds to it; never backwards
  POST /_simulator/accounts  {"client_id": ..., "payouts": true, "approved": true, "webhooks": true, "balances": true,
                           "secret": ...} changes what an app may do, or its secret; all but client_id may be left out.
                           Tokens keep the scope they have.
  POST /_simulator/balances  {"client_id": ..., "currency": "USD", "value": "12.50"} sets a balance
  POST /_simulator/batches/PAYOUT_BATCH_ID  {"to": "SUCCESS"} processes a pending batch at once; {"to": "DENIED"} denies
                           it, its items with "error" (default REFUSED_ACTION_DENIED)
  POST /_simulator/items/PAYOUT_ITEM_ID  {"to": "RETURNED"} moves an item of a finished batch where PayPal could; or
                           {"do": WORD}: claim, refuse, refund, reverse, release, return, hold, block, fail
  GET  /_simulator/ca.pem  the root of the authority that vouches for the events' certificates
  GET  /_simulator/deliveries  how many events are waiting, delivered, lost and given up, and the last 500 deliveries
                           (?last=N) with tries, status and forgery; POST {"off": true} switches webhooks off: what
                           happens then is in the event list alone. {"off": false} switches them on again
  GET  /_simulator/dropzone  the host key and its fingerprint; users with their keys' fingerprints and folders; every
                           file that was picked up, with its answer ("ACK", "NACK", "DUPS") and "payout_batch_id" or
                           "nack"
  POST /_simulator/dropzone  {"user": ..., "client_id": ..., "public_key": "ssh-ed25519 ..."} makes an account, or lets
                           one have one more key (then client_id may be left out); {"user": ..., "remove_key":
                           "SHA256:..."}; {"new_host_key": true} changes the host key for new connections
  POST /_simulator/faults  see below
  With --journal, batches, cancellations, moved items, balances, webhooks, what was delivered, SFTP accounts and keys
  made here, files that were picked up with their answers and reports, and the clock's offset are kept across restarts,
  and the host key beside it in FILE.host_key. Tokens, fault rules and what they did to answers and reports, changes to
  accounts, certificates, the list of calls and files that still stand in Incoming are not."#;
