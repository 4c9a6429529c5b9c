//! The table. A new code goes beside its kin; none is ever renamed or used again.

use super::{Advice, Entry, Recovery};

catalogue! {
    // Why a pool does not start, or stops.
    ConfigInvalid = "CONFIG_INVALID", 500, "error",
        "The configuration can't be used.",
        "the configuration can't be used: {detail}", [],
        [("Correct the key that the message names; pool.example.toml documents every one", Some("dagpool check --config pool.toml"), "high")];
    ConfigNotReloaded = "CONFIG_NOT_RELOADED", 422, "warning",
        "The newer configuration was not taken: the running one stays, and nothing has changed.",
        "the configuration was not reloaded: {detail}", [],
        [("Correct what the message names, and reload again", Some("dagpool check --config pool.toml"), "high")];
    ConfigUnreadable = "CONFIG_UNREADABLE", 500, "error",
        "A file of the configuration (or a secret it names) can't be read.",
        "the configuration can't be read: {detail}", [],
        [("Make the file or variable that the message names readable for the pool's user", Some("dagpool check --config pool.toml"), "high")];
    AddressUnavailable = "ADDRESS_UNAVAILABLE", 500, "error",
        "A listening address is taken or not ours.",
        "the address can't be used: {detail}", [],
        [("Stop the other program, or set another address", Some("ss -ltnp"), "high")];
    DataDirUnwritable = "DATA_DIR_UNWRITABLE", 500, "error",
        "The data folder can't be written.",
        "the data folder can't be used: {detail}", [],
        [("Make the folder writable for the pool's user, or set pool.data_dir", Some("df -h"), "high")];
    NodeIdChanged = "NODE_ID_CHANGED", 500, "error",
        "The data folder belongs to a node of another number (`pool.node_id`).",
        "another node's data: {detail}", [],
        [("Set pool.node_id back, or use another pool.data_dir", Some("dagpool check --config pool.toml"), "high")];
    DataDirInUse = "DATA_DIR_IN_USE", 500, "error",
        "Another pool process uses the same data folder.",
        "another pool is at work: {detail}", [],
        [("Stop the other pool process, or set pool.data_dir to another folder", Some("dagpool check --config pool.toml"), "high")];
    JournalUnusable = "JOURNAL_UNUSABLE", 500, "critical",
        "The share journal is damaged where no crash can damage it, or could not be opened.",
        "the share journal can't be used: {detail}", [],
        [("Keep a copy of the folder before anything else; then restore a backup, or a disk that can be read", Some("dagpool check --config pool.toml"), "critical")];
    StoreUnusable = "STORE_UNUSABLE", 500, "critical",
        "The store (database) can't be used.",
        "the database can't be used: {detail}", [],
        [("See store.url; restore a backup if the database is damaged", Some("dagpool check --config pool.toml"), "high")];
    CacheUnusable = "CACHE_UNUSABLE", 500, "error",
        "The cache (Redis) does not answer, or refuses. The pool runs without it: bans and events are not shared with other pools, and snapshots end with the process.",
        "the cache can't be used: {detail}", [],
        [("See cache.url and cache.password, and that the server runs", Some("dagpool check --config pool.toml"), "medium")];
    NodeUnusable = "NODE_UNUSABLE", 500, "error",
        "The node can't be used.",
        "the node can't be used: {detail}", [],
        [("See that the node runs, is synchronised, and is on the right network", Some("dagpool check --config pool.toml"), "high")];
    AlgorithmUnknown = "ALGORITHM_UNKNOWN", 500, "error",
        "An algorithm is not known.",
        "no such algorithm: {detail}", [],
        [("Name an algorithm that is linked in, or whose package is on the shelf", Some("dagpool check --config pool.toml"), "high")];
    ActorFailed = "ACTOR_FAILED", 500, "critical",
        "An actor that must not die did, or kept dying.",
        "a part of the pool failed: {detail}", [],
        [("Start the pool again: it recovers from its journal. Report it with the log lines before it", Some("dagpool run --config pool.toml"), "critical")];
    SystemRefused = "SYSTEM_REFUSED", 500, "error",
        "The system refused a resource (threads, files).",
        "refused: {detail}", [],
        [("Raise the limits of the pool's user", Some("ulimit -a"), "high")];
    PoolUnreachable = "POOL_UNREACHABLE", 503, "error",
        "The command found no pool at the address it was given.",
        "no answer from the pool at {url}: {reason}", [],
        [("Name the pool's dashboard address", Some("dagpool algorithm status --url {url}"), "high"),
         ("See that the pool runs, and what it says", None, "medium")];
    PoolRefused = "POOL_REFUSED", 502, "error",
        "The pool refused what a command asked of it; the message holds the pool's own code and words.",
        "the pool refused: {detail}", [],
        [("Do what the pool says", None, "medium")];
    PoolAnswerUnreadable = "POOL_ANSWER_UNREADABLE", 502, "error",
        "What answered the command does not speak as a pool does.",
        "{url} answered {status} and not as a pool does", [],
        [("See that --url names a BlockDAG Pool, of about this version", Some("dagpool --version"), "high")];
    NotInBooks = "NOT_IN_BOOKS", 404, "info",
        "The ledger has no such block or account, or the block's split is not settled.",
        "not in the books: {detail}", [],
        [("Check the block's hash and the account's address", Some("curl URL/api/blocks"), "low")];
    // What a request is answered.
    BadRequest = "BAD_REQUEST", 400, "warning",
        "A parameter or the body of the request does not have the form that the route wants.",
        "no such request: {detail}", [],
        [("Correct what the message names", None, "medium")];
    Unauthorized = "UNAUTHORIZED", 401, "warning",
        "The route needs somebody who has signed in, or a token, and the request had none that is good: it may have ended.",
        "{path} needs a token: sign in, or send the admin token", [],
        [("Sign in on the dashboard, or send a token: the admin token that the pool printed at its start, or one of your own", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm list"), "high")];
    Forbidden = "FORBIDDEN", 403, "warning",
        "Whoever asks is known, and may not do that: the role is too low, or the token is for something else.",
        "{path} needs {what}", [],
        [("Ask an admin of the pool for the role, or make a token with that scope", None, "medium")];
    SignInRefused = "SIGN_IN_REFUSED", 401, "warning",
        "Name or password is wrong, there is no such user, or they may not sign in. Which of these is not told.",
        "not signed in: {detail}", [],
        [("Type name and password again; an admin can give a new one (dagpool user password)", None, "medium")];
    SignInLocked = "SIGN_IN_LOCKED", 429, "warning",
        "There were too many tries to sign in, of this user or from this address. Each further lock is longer, up to an hour.",
        "not now: {detail}", [],
        [("Wait as long as Retry-After says; an admin sees the tries in the audit trail", None, "medium")];
    SessionEnded = "SESSION_ENDED", 401, "info",
        "The session has ended: it was not used for long, somebody signed out, or its refresh token came twice, which means that it was copied.",
        "signed out: {detail}", [],
        [("Sign in again", None, "medium")];
    MfaRefused = "MFA_REFUSED", 401, "warning",
        "The code of the second factor is wrong, or was used before. Each is good once.",
        "not signed in: {detail}", [],
        [("Wait for the next code; see that the phone's clock is right; or use a backup code. An admin can take the factor away (dagpool user reset-mfa)", None, "medium")];
    // How somebody mines.
    UnusualMining = "UNUSUAL_MINING", 500, "warning",
        "Somebody mines in an unusual way. It is a suspicion, by statistics: honest accounts cause it now and then, and nothing is done about anybody by itself.",
        "unusual mining: {detail}", [],
        [("Look at the miner's page, and at what its operator says; docs/alerts.md says what was tested", None, "medium")];
    BlocksWithheld = "BLOCKS_WITHHELD" in UnusualMining, 500, "warning",
        "An account found far fewer candidates of blocks than its accepted work is worth: it may withhold them. Faulty hardware does the same.",
        "blocks may be withheld: {detail}", [],
        [("Ask the miner for logs of rejected and stale work; compare its workers, and watch on: a second suspicion of the same account is no chance", None, "high"),
         ("If it goes on, ban the account's addresses: what it withholds is paid for by the others", None, "medium")];
    UnusualLuck = "UNUSUAL_LUCK" in UnusualMining, 500, "warning",
        "An account found far more candidates of blocks than its accepted work is worth.",
        "unusual luck: {detail}", [],
        [("See whether its blocks were accepted, and whether its shares are lost or refused on the way: then its work is counted short", None, "medium")];
    UnusualNonces = "UNUSUAL_NONCES" in UnusualMining, 500, "warning",
        "The nonces of an account's shares are not spread as chance spreads them: firmware that leaves some out, or shares that were not searched for.",
        "unusual nonces: {detail}", [],
        [("Check that its shares pass a second opinion (the active algorithm's shadow), and which firmware it uses", None, "medium")];
    UnusualBursts = "UNUSUAL_BURSTS" in UnusualMining, 500, "warning",
        "An account's shares come together with long pauses between: they are held back, or its connection stalls.",
        "unusual bursts: {detail}", [],
        [("Look at its connection and its proxy; shares that are held back on purpose are worth less to the pool when a block is due", None, "low")];
    UnusualHashrate = "UNUSUAL_HASHRATE" in UnusualMining, 500, "warning",
        "An account's hash rate is many times what it was.",
        "unusual hash rate: {detail}", [],
        [("See whether a farm has moved here; else compare its candidates with its work, and the algorithm's health", None, "low")];
    SharedAddress = "SHARED_ADDRESS" in UnusualMining, 500, "warning",
        "Very many accounts mine from one address: a proxy, a farm, or somebody who hides behind many names.",
        "a shared address: {detail}", [],
        [("Raise alerts.detector.accounts_per_address_max for a farm that you know", None, "low")];
    ManyAddresses = "MANY_ADDRESSES" in UnusualMining, 500, "warning",
        "One account mines from very many addresses: a rented farm, or machines whose owners do not know of it.",
        "many addresses: {detail}", [],
        [("Look at its workers' names and agents; machines that were broken into mine with one configuration everywhere", None, "medium")];
    MfaRequired = "MFA_REQUIRED", 403, "warning",
        "The role can't go without a second factor (auth.mfa_required), and this user has none yet.",
        "the role {role} needs a second factor: set one up first", [],
        [("Set a second factor up on the dashboard", None, "high")];
    NameTaken = "NAME_TAKEN", 409, "info",
        "The name is somebody's.",
        "not registered: {detail}", [],
        [("Choose another name", None, "low")];
    EmailUnconfirmed = "EMAIL_UNCONFIRMED", 403, "info",
        "Name and password are right, and the e-mail address is not confirmed yet, which this pool asks for (auth.verify_email).",
        "not signed in: {detail}", [],
        [("Follow the link in the mail that was sent to you; the dashboard's sign-in page sends it once more", None, "medium")];
    LinkRefused = "LINK_REFUSED", 400, "info",
        "The link of a mail is not good: it was used, it is too old, a newer one was asked for, or it is not whole. Which of these is not told.",
        "the link was refused: {detail}", [],
        [("Ask for a new mail on the dashboard's sign-in page, and follow the newest link", None, "medium")];
    RegistrationClosed = "REGISTRATION_CLOSED", 403, "info",
        "Strangers may not register at this pool (auth.registration).",
        "not registered: {detail}", [],
        [("Ask the pool's admin to add you", None, "low")];
    Conflict = "CONFLICT", 409, "warning",
        "What was asked does not fit how things are. Nothing was changed.",
        "nothing was changed: {detail}", [],
        [("Do what the message says first", None, "medium")];
    OriginRefused = "ORIGIN_REFUSED", 403, "warning",
        "A page of another site asked for the live feed.",
        "pages of {origin} may not use this pool", [],
        [("List the site, if it is yours", Some("grep cors_origins pool.toml"), "low")];
    NotFound = "NOT_FOUND", 404, "info",
        "There is nothing under that path, or no miner or block of that name.",
        "not found: {detail}", [],
        [("Check the spelling of path, account or hash", None, "low")];
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405, "info",
        "The route exists, but not for that HTTP method.",
        "not by this method: {detail}", [],
        [("Use the method that the documentation of the route names", None, "low")];
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", 413, "warning",
        "The body of the request is larger than the route takes.",
        "{what} is larger than {bytes_max} bytes ({key})", [],
        [("Send less at once", None, "medium")];
    RequestTimeout = "REQUEST_TIMEOUT", 408, "warning",
        "The body of the request came too slowly.",
        "the body did not come in time: {wait_s} s, and a second for every {bytes_a_second} bytes", [],
        [("Send it again over a faster connection", None, "low")];
    UnsupportedEncoding = "UNSUPPORTED_ENCODING", 415, "warning",
        "The body of the request is compressed: the pool takes none that is, since it could be of any size.",
        "a body in {encoding} is not taken", [],
        [("Send it as it is, without Content-Encoding", None, "medium")];
    RateLimited = "RATE_LIMITED", 429, "warning",
        "The address has made more requests to the API than the pool allows for a time.",
        "{client} asks too often: try again in {retry_after_s} s", [],
        [("Wait as long as Retry-After says; the live feed brings the same figures without asking", None, "medium"),
         ("Raise http.rate_limit_per_second, or set http.behind_proxy if all come through a proxy of yours", Some("grep -A1 rate_limit pool.toml"), "low")];
    FeedsExhausted = "FEEDS_EXHAUSTED", 503, "warning",
        "As many live feeds are open as the pool allows, in all or of that address.",
        "as many live feeds are open as the pool allows ({feeds_max})", [],
        [("Try again later, or raise http.feeds_max or http.feeds_per_address", Some("grep ^feeds_ pool.toml"), "medium")];
    StoreUnavailable = "STORE_UNAVAILABLE", 503, "error",
        "The database does not answer. Shares are still accepted and durable; the ledger catches up by itself.",
        "no database: {detail}", [Retry],
        [("Bring the database back", Some("dagpool check --config pool.toml"), "high")];
    CacheUnavailable = "CACHE_UNAVAILABLE", 503, "error",
        "The cache (Redis) does not answer. Miners notice nothing; bans and events are not shared with other pools until it is back, then the pool gives it its bans by itself.",
        "no cache: {detail}", [Retry],
        [("Bring the cache back", Some("dagpool check --config pool.toml"), "medium")];
    AdjustmentConflict = "ADJUSTMENT_CONFLICT", 409, "warning",
        "Another correction was made under the same reference; details.made is that one. Nothing was changed.",
        "not corrected: {detail}", [],
        [("Choose another reference, or send what was made", None, "medium")];
    AdjustmentOverdrawn = "ADJUSTMENT_OVERDRAWN", 409, "warning",
        "The correction would leave the account's confirmed balance below zero. Nothing was changed.",
        "not corrected: {detail}", [],
        [("Take less, or say that it may be below zero (below_zero)", None, "medium")];
    PayoutsOff = "PAYOUTS_OFF", 409, "warning",
        "Nothing is paid out by this pool process: payout.enabled is false.",
        "nothing is paid out: {detail}", [],
        [("Set payout.enabled, and restart", Some("dagpool check --config pool.toml"), "medium")];
    PayoutEnded = "PAYOUT_ENDED", 409, "warning",
        "The payout has ended, as paid or as given back: there is nothing left to hold.",
        "nothing is held: {detail}", [],
        [("Hold the account instead, if it is not to be paid again", Some("curl -s -H \"Authorization: Bearer $(cat admin.token)\" localhost:8080/api/payouts"), "medium")];
    PayoutsUnavailable = "PAYOUTS_UNAVAILABLE", 503, "error",
        "The wallet or the node does not answer, so it can't be said what would be paid. Nothing is lost: payouts go on by themselves.",
        "payouts wait: {detail}", [Retry],
        [("Look at what is in the way", Some("dagpool payout status --token file:admin.token"), "high")];
    NoStagedAlgorithm = "NO_STAGED_ALGORITHM", 409, "warning",
        "Nothing is staged: there is no checked package that could be deployed.",
        "nothing to deploy: {detail}", [],
        [("Stage a package", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm stage {package}"), "high")];
    StagedAlgorithmChanged = "STAGED_ALGORITHM_CHANGED", 409, "warning",
        "Another package was staged since the one that was to be deployed was looked at. Nothing was deployed.",
        "not deployed: {detail}", [],
        [("Look at what is staged, and deploy it if you mean it", Some("dagpool algorithm status"), "medium"),
         ("Or stage the other package again", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm stage {package}"), "medium")];
    DeploymentInProgress = "DEPLOYMENT_IN_PROGRESS", 409, "warning",
        "Another deployment is under way; there is one at a time.",
        "not now: {detail}", [],
        [("Watch it until it ends", Some("dagpool algorithm status"), "medium"),
         ("Or roll it back", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm rollback {deployment_id}"), "medium")];
    DeploymentNotUnderWay = "DEPLOYMENT_NOT_UNDER_WAY", 409, "info",
        "The deployment is over, or there never was one of that number.",
        "nothing to steer: {detail}", [],
        [("See what is under way", Some("dagpool algorithm status"), "low")];
    DeploymentStepRefused = "DEPLOYMENT_STEP_REFUSED", 409, "info",
        "The deployment can't take that step from where it is.",
        "no such step: {detail}", [],
        [("See where it is", Some("dagpool algorithm status"), "low")];
    DeploymentConfigInvalid = "DEPLOYMENT_CONFIG_INVALID", 400, "warning",
        "The deployment's configuration can't be carried out.",
        "the plan can't be carried out: {detail}", [],
        [("Correct what the message names; leave a value out for the configured one", None, "medium")];
    ConfirmationRequired = "CONFIRMATION_REQUIRED", 409, "warning",
        "The package's author says that going back needs care (rollback_supported: false).",
        "not confirmed: {detail}", [],
        [("Read its changelog, then confirm by naming the algorithm in config.confirm", None, "high")];
    CompatibilityCheckFailed = "COMPATIBILITY_CHECK_FAILED", 422, "error",
        "The package is good, but not for this machine or this version of the pool; details.package_code names the check.",
        "not for this pool: {detail}", [],
        [("See what it needs", Some("dagpool algorithm inspect {package}"), "high")];
    PackageValidationFailed = "PACKAGE_VALIDATION_FAILED", 422, "error",
        "The package is malformed, not to be trusted, or does not do what it says; details.package_code names the check.",
        "not staged: {detail}", [],
        [("See what the check found", Some("dagpool algorithm verify {package} --public-key author.pub"), "high")];
    AlgorithmLoadFailed = "ALGORITHM_LOAD_FAILED", 422, "error",
        "The package's code can't be kept or loaded by this pool.",
        "not loaded: {detail}", [],
        [("Look at the pool's data folder and its free space", Some("df -h"), "high")];
    MigrationFailed = "MIGRATION_FAILED", 409, "error",
        "The package computes another hash function than the active algorithm, and the pool can't migrate to it: the node gives no work of it, or the package's author does not foresee it.",
        "no migration: {detail}", [FallBack],
        [("Let the node accept the new function (its activation height may be to come), then ask for the plan again", None, "high")];
    PoolStopping = "POOL_STOPPING", 503, "warning",
        "The pool is stopping: what it has is finished, and nothing new is begun.",
        "the pool is stopping: {detail}", [],
        [("Ask again once it is back; a deployment that was under way goes on by itself", Some("dagpool algorithm status"), "medium"),
         ("If nobody stopped it, see the end of its log", None, "high")];
    Internal = "INTERNAL", 500, "critical",
        "A defect of the pool.",
        "a defect of the pool: {detail}", [],
        [("Report it with the error's id and the log lines around it", None, "high")];
    // Algorithms at work: what the pool finds out by itself, and does about it.
    AlgorithmHashDiffers = "ALGORITHM_HASH_DIFFERS", 500, "critical",
        "A generation on trial computed another hash than the one in force. Its deployment was rolled back; no share was judged by it.",
        "{algorithm} computed {got} for {input}, the algorithm in force {expected}", [FallBack],
        [("Look at the input that proves it", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm status {deployment_id}"), "high"),
         ("Report input and hashes to the package's author, and do not deploy it again", None, "high")];
    AlgorithmSlotFailed = "ALGORITHM_SLOT_FAILED", 500, "critical",
        "A generation on trial panicked, hung or could not be loaded. Its deployment was rolled back; its shares went to the last good generation.",
        "{algorithm} failed: {reason}", [FallBack],
        [("See where it failed", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm status {deployment_id}"), "high"),
         ("Report it to the package's author", None, "medium")];
    AlgorithmUnhealthy = "ALGORITHM_UNHEALTHY", 500, "error",
        "A generation on trial did worse than the one in force (errors, time per hash, refused shares). Its deployment was rolled back.",
        "{algorithm}: {reason}", [FallBack],
        [("Compare the figures of both groups", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm status {deployment_id}"), "high"),
         ("See what else the machine did at that time", Some("uptime"), "low")];
    AlgorithmWarmUpFailed = "ALGORITHM_WARM_UP_FAILED", 500, "error",
        "A generation did not show what it must before it hashes for anybody: known answers, batches, the same hashes as the one in force.",
        "{algorithm} did not get through its warm-up: {reason}", [FallBack],
        [("Check the package by itself", Some("dagpool algorithm verify {package} --public-key author.pub"), "high")];
    ActiveAlgorithmFailed = "ACTIVE_ALGORITHM_FAILED", 500, "critical",
        "The algorithm in force gave no hash for shares (a trap, a panic, a child process that died). The linked-in code of the same function judged these shares.",
        "{algorithm} gave no hash for {errors} shares", [Reload, FallBack],
        [("See what is in force now, and what the pool did about it", Some("dagpool algorithm status"), "high"),
         ("Deploy a version that works", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm deploy --wait"), "high")];
    ActiveAlgorithmUnavailable = "ACTIVE_ALGORITHM_UNAVAILABLE", 500, "critical",
        "What was deployed last can't be loaded when the pool starts. The linked-in code of the same function serves.",
        "{algorithm} can't be loaded: {reason}", [FallBack],
        [("Stage the package again", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm stage {package}"), "high")];
    NativeCodeConfined = "NATIVE_CODE_CONFINED", 500, "critical",
        "The pool ended twice within an hour while native code was at work inside it. That code goes on in a confined child process, whose end costs nobody a share.",
        "{algorithm} ran inside the pool, which ended twice within an hour without being told to: it runs in a child process now", [FallBack],
        [("See what ended the pool", Some("dagpool algorithm status"), "high"),
         ("Once it is mended, deploy it again", Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm deploy --isolation in-process --wait"), "medium")];
    DeploymentStepUnwritten = "DEPLOYMENT_STEP_UNWRITTEN", 503, "error",
        "The database did not take a step of a deployment. A step forward waits for it; a step back was taken at once.",
        "a step of deployment {deployment_id} could not be written: {reason}", [Retry],
        [("Bring the database back", Some("dagpool check --config pool.toml"), "high")];
    BlockLost = "BLOCK_LOST", 500, "critical",
        "A block that was found could not be handed to the node.",
        "{reason}", [],
        [("Report it with the log lines around it", None, "critical")];
    // What is wrong with a package.
    PackageTooLarge = "PACKAGE_TOO_LARGE" in PackageValidationFailed, 422, "error",
        "The package's file, an entry or all entries together are larger than the pool takes.",
        "the archive: {detail}", [],
        [("Leave out what is not needed, or strip the native libraries", Some("strip --strip-debug algorithm.so"), "medium")];
    PackageNotAZip = "PACKAGE_NOT_A_ZIP" in PackageValidationFailed, 422, "error",
        "The file is no zip archive.",
        "the archive: {detail}", [],
        [("Make the package with the pack command", Some("dagpool algorithm pack"), "high")];
    PackageTruncated = "PACKAGE_TRUNCATED" in PackageValidationFailed, 422, "error",
        "The archive's end is missing, or one of its parts points beyond the file.",
        "the archive: {detail}", [],
        [("Copy or upload the whole file again", Some("sha256sum {package}"), "high")];
    PackagePrefix = "PACKAGE_PREFIX" in PackageValidationFailed, 422, "error",
        "There are bytes before the first entry of the archive, which another reader could take for something else.",
        "the archive: {detail}", [],
        [("Make the package with the pack command, and do not trust the one at hand", Some("dagpool algorithm pack"), "high")];
    PackageTrailingBytes = "PACKAGE_TRAILING_BYTES" in PackageValidationFailed, 422, "error",
        "There are bytes or a comment behind the end of the archive.",
        "the archive: {detail}", [],
        [("Make the package with the pack command, and do not trust the one at hand", Some("dagpool algorithm pack"), "high")];
    PackageTooManyEntries = "PACKAGE_TOO_MANY_ENTRIES" in PackageValidationFailed, 422, "error",
        "The archive says that it holds more entries than a package can, or another number than it has.",
        "the archive: {detail}", [],
        [("Make the package with the pack command", Some("dagpool algorithm pack"), "high")];
    PackageDuplicateEntry = "PACKAGE_DUPLICATE_ENTRY" in PackageValidationFailed, 422, "critical",
        "Two entries have the same name, so that two readers could see two different packages.",
        "the archive: {detail}", [],
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageCaseTwins = "PACKAGE_CASE_TWINS" in PackageValidationFailed, 422, "error",
        "An entry's name differs from a known one in upper and lower case only.",
        "the archive: {detail}", [],
        [("Name the entries exactly as the format does", Some("dagpool algorithm pack"), "high")];
    PackageEntryName = "PACKAGE_ENTRY_NAME" in PackageValidationFailed, 422, "error",
        "An entry has a name that no package has: a path that leads elsewhere, a folder, or a file that the format does not know.",
        "the archive: {detail}", [],
        [("Keep to the files of the format", Some("dagpool algorithm pack"), "high")];
    PackageSymlink = "PACKAGE_SYMLINK" in PackageValidationFailed, 422, "critical",
        "An entry is a link, a folder or a device instead of a file.",
        "the archive: {detail}", [],
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageEncrypted = "PACKAGE_ENCRYPTED" in PackageValidationFailed, 422, "error",
        "An entry is encrypted, so it can't be checked.",
        "the archive: {detail}", [],
        [("Make the package with the pack command", Some("dagpool algorithm pack"), "high")];
    PackageMethod = "PACKAGE_METHOD" in PackageValidationFailed, 422, "error",
        "An entry is compressed by another method than stored or deflated.",
        "the archive: {detail}", [],
        [("Make the package with the pack command", Some("dagpool algorithm pack"), "high")];
    PackageOverlap = "PACKAGE_OVERLAP" in PackageValidationFailed, 422, "critical",
        "Entries share bytes of the file, or there are bytes between them that belong to none.",
        "the archive: {detail}", [],
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageHeaderMismatch = "PACKAGE_HEADER_MISMATCH" in PackageValidationFailed, 422, "critical",
        "The archive's directory and the entry itself say different things, so that two readers could see two different packages.",
        "the archive: {detail}", [],
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageBomb = "PACKAGE_BOMB" in PackageValidationFailed, 422, "critical",
        "An entry grows far beyond what it says, or by a factor that no real file has, when it is decompressed.",
        "the archive: {detail}", [],
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageCorrupt = "PACKAGE_CORRUPT" in PackageValidationFailed, 422, "error",
        "An entry can't be decompressed, or its checksum is wrong.",
        "the archive: {detail}", [],
        [("Copy or upload the whole file again", Some("sha256sum {package}"), "high")];
    PackageIncomplete = "PACKAGE_INCOMPLETE" in PackageValidationFailed, 422, "error",
        "An entry that every package needs is missing.",
        "incomplete: {detail}", [],
        [("Add the file that the message names", Some("dagpool algorithm pack"), "high")];
    ManifestInvalid = "MANIFEST_INVALID" in PackageValidationFailed, 422, "error",
        "manifest.json does not have the form or the values that the format wants.",
        "not understood: {detail}", [],
        [("Correct the field that the message names", Some("dagpool algorithm inspect {package}"), "high")];
    ManifestMismatch = "MANIFEST_MISMATCH" in PackageValidationFailed, 422, "error",
        "The manifest says something else than the package's code or its other files.",
        "a contradiction: {detail}", [],
        [("Bring manifest and code together and pack again", Some("dagpool algorithm inspect {package}"), "high")];
    SignatureMissing = "SIGNATURE_MISSING" in PackageValidationFailed, 422, "error",
        "The package is not signed.",
        "the signature: {detail}", [],
        [("Ask the author to sign it", Some("dagpool algorithm sign {package} --key author.key"), "high")];
    SignatureInvalid = "SIGNATURE_INVALID" in PackageValidationFailed, 422, "critical",
        "The signature does not belong to these contents and that key: something was changed after signing.",
        "the signature: {detail}", [],
        [("Get the package again from its author, over a way that you trust", Some("dagpool algorithm verify {package} --public-key author.pub"), "critical")];
    KeyUnknown = "KEY_UNKNOWN" in PackageValidationFailed, 422, "error",
        "The package is signed by a key that the trust store does not hold.",
        "the key: {detail}", [],
        [("If you trust its owner, add the public key to the trust store", Some("cat author.pub"), "high")];
    KeyRevoked = "KEY_REVOKED" in PackageValidationFailed, 422, "critical",
        "The package is signed by a key that was revoked. A signature has no date that could be trusted, so everything that this key signed is refused.",
        "the key: {detail}", [],
        [("Ask the author for a package signed with the new key", None, "critical")];
    KeyNotPermitted = "KEY_NOT_PERMITTED" in PackageValidationFailed, 422, "error",
        "The key is not trusted for code of this kind.",
        "the key: {detail}", [],
        [("Run the package at level wasm, or permit native code to this key in the trust store", None, "high")];
    PackageDowngrade = "PACKAGE_DOWNGRADE" in PackageValidationFailed, 422, "error",
        "A newer version of this algorithm was staged here before; an older one may have a known fault.",
        "the version: {detail}", [],
        [("Stage the newest version, or let the older one in with a reason, which is recorded",
          Some("DAGPOOL_TOKEN=file:admin.token dagpool algorithm stage {package} --allow-downgrade REASON"), "high")];
    EngineTooOld = "ENGINE_TOO_OLD" in CompatibilityCheckFailed, 422, "error",
        "The package needs a newer engine than this pool's.",
        "the engine: {detail}", [],
        [("Update the pool", Some("dagpool --version"), "high"),
         ("Use another version of the algorithm", None, "medium")];
    PlatformUnsupported = "PLATFORM_UNSUPPORTED" in CompatibilityCheckFailed, 422, "error",
        "The package is not made for this platform, or not at this level of isolation.",
        "the platform: {detail}", [],
        [("Use level wasm, or a package that names this platform", Some("dagpool algorithm inspect {package}"), "high")];
    CpuFeatureMissing = "CPU_FEATURE_MISSING" in CompatibilityCheckFailed, 422, "error",
        "The package's native code needs instructions that this processor does not have.",
        "the processor: {detail}", [],
        [("Use level wasm, or another machine", Some("lscpu"), "high")];
    MemoryInsufficient = "MEMORY_INSUFFICIENT" in CompatibilityCheckFailed, 422, "error",
        "The algorithm needs more memory than this machine has to give.",
        "memory: {detail}", [],
        [("Add memory, or use fewer validation threads", Some("free -m"), "high")];
    CodeRefused = "CODE_REFUSED" in PackageValidationFailed, 422, "error",
        "The sandbox did not load the package's code.",
        "not loaded: {detail}", [],
        [("Build the algorithm again with this version's plugin-sdk", Some("dagpool algorithm pack"), "high")];
    VectorsInvalid = "VECTORS_INVALID" in PackageValidationFailed, 422, "error",
        "tests/test_vectors.json or tests/benchmark_data.json does not have the form that the format wants.",
        "not understood: {detail}", [],
        [("Correct what the message names", Some("dagpool algorithm inspect {package}"), "high")];
    VectorMismatch = "VECTOR_MISMATCH" in PackageValidationFailed, 422, "critical",
        "The code computes another hash than the package's own test vector says.",
        "a wrong hash: {detail}", [],
        [("Do not use the package; report the vector to its author", Some("dagpool algorithm verify {package} --public-key author.pub"), "critical")];
    NotDeterministic = "NOT_DETERMINISTIC" in PackageValidationFailed, 422, "critical",
        "The same input gave two hashes, in one instance or in two.",
        "the code: {detail}", [],
        [("Do not use the package: miners would be judged by chance", None, "critical")];
    BenchmarkFailed = "BENCHMARK_FAILED" in PackageValidationFailed, 422, "error",
        "The algorithm failed while it was measured.",
        "the benchmark: {detail}", [],
        [("Run the benchmark by itself to see why", Some("dagpool algorithm bench {package}"), "high")];
    PerformanceWarning = "PERFORMANCE_WARNING", 200, "warning",
        "The algorithm reaches less than 0.8 of the hash rate that its manifest expects, on this machine. It is staged all the same.",
        "slow: {detail}", [],
        [("Consider an optimized build", Some("dagpool algorithm bench {package}"), "medium"),
         ("Check what else the machine does", Some("uptime"), "low")];
    ResourceLimitExceeded = "RESOURCE_LIMIT_EXCEEDED" in PackageValidationFailed, 422, "error",
        "The algorithm needs more time or memory for a hash than the pool or its own manifest allows.",
        "the limits: {detail}", [],
        [("Raise memory_usage or memory_requirements in the manifest if the algorithm really needs it, and pack again", None, "high")];
    KeyFileInvalid = "KEY_FILE_INVALID" in PackageValidationFailed, 422, "error",
        "A key file can't be read, or is readable for others.",
        "the key file: {detail}", [],
        [("Give the right file, or make a key under a new name", Some("dagpool algorithm keygen --out NAME"), "high")];
    TrustStoreInvalid = "TRUST_STORE_INVALID" in PackageValidationFailed, 422, "error",
        "The trust store, or the record of versions seen, can't be read.",
        "the trust store: {detail}", [],
        [("Correct the entry that the message names", None, "high")];
    BuildFailed = "BUILD_FAILED" in PackageValidationFailed, 422, "error",
        "The algorithm's crate could not be made or built.",
        "not built: {detail}", [],
        [("Do what the message says; the compiler's own words stand above it", Some("cargo test"), "high")];
    SdkNotFound = "SDK_NOT_FOUND" in PackageValidationFailed, 422, "error",
        "An algorithm's crate needs plugin-sdk, and it is not where it was looked for.",
        "no plugin-sdk: {detail}", [],
        [("Name the folder plugin-sdk of a checkout of the pool's repository", Some("dagpool algorithm new {algorithm} --sdk-path FOLDER"), "high"),
         ("Or the repository itself", Some("dagpool algorithm new {algorithm} --sdk-git ADDRESS"), "medium")];
    FileUnusable = "FILE_UNUSABLE" in PackageValidationFailed, 422, "error",
        "A file or folder can't be read or written.",
        "a file: {detail}", [],
        [("Check its path, its owner and the free space", Some("ls -l PATH; df -h ."), "high")];
}
