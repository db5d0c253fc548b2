/* SPDX-License-Identifier: MIT */
/*
 * Every status the project can say: its name, the Win32 error it becomes [docs/spec/ktm-types.md
 * section 6.4, CLFS-STAT-04], and a sentence for people. Values are those of ntstatus.h.
 *
 * A list to be read with STATUS_ROW defined by whoever includes it; names come from base/status.c,
 * Win32 errors from win32/error.c. In the order of the values, so that a reader finds a row and the
 * compiler finds a duplicate.
 */
/* clang-format off */

/* ---- success and information ---- */
STATUS_ROW(STATUS_SUCCESS, 0,
    "The operation succeeded.")
STATUS_ROW(STATUS_ABANDONED_WAIT_0, 735,
    "The wait ended because the object was abandoned by its owner.")
STATUS_ROW(STATUS_USER_APC, 737,
    "The wait ended because a callback was delivered to this thread.")
STATUS_ROW(STATUS_ALERTED, 739,
    "The wait ended because this thread was alerted.")
STATUS_ROW(STATUS_TIMEOUT, 258,
    "The time given ran out before anything happened.")
STATUS_ROW(STATUS_PENDING, 997,
    "The operation has begun and is not finished yet.")
STATUS_ROW(STATUS_RESOURCEMANAGER_READ_ONLY, 6707,
    "The resource manager changed nothing under this transaction.")
STATUS_ROW(STATUS_OBJECT_NAME_EXISTS, 698,
    "An object of that name existed already and was opened.")
STATUS_ROW(STATUS_HEURISTIC_DAMAGE_POSSIBLE, 6731,
    "The transaction was committed, but some branch of it may not have been.")
STATUS_ROW(STATUS_RECOVERY_NOT_NEEDED, 6821,
    "The resource manager is consistent already and needs no recovery.")
STATUS_ROW(STATUS_RM_ALREADY_STARTED, 6822,
    "The resource manager is started already.")
STATUS_ROW(STATUS_LOG_NO_RESTART, 6611,
    "The log stream has no restart area.")

/* ---- warnings ---- */
STATUS_ROW(STATUS_DATATYPE_MISALIGNMENT, 998,
    "A buffer is not aligned as its type requires.")
STATUS_ROW(STATUS_BUFFER_OVERFLOW, 234,
    "The buffer holds only the beginning of the data.")
STATUS_ROW(STATUS_DEVICE_BUSY, 170,
    "The object is in use by another operation.")
STATUS_ROW(STATUS_NO_MORE_ENTRIES, 259,
    "There are no more entries.")
STATUS_ROW(STATUS_COULD_NOT_RESIZE_LOG, 6629,
    "The log could not be brought to the size asked for.")
STATUS_ROW(STATUS_NO_TXF_METADATA, 6816,
    "The file has no transactional metadata.")
STATUS_ROW(STATUS_CANT_RECOVER_WITH_HANDLE_OPEN, 6818,
    "The file cannot be recovered while a handle to it is open.")
STATUS_ROW(STATUS_TXF_METADATA_ALREADY_PRESENT, 6835,
    "The file has transactional metadata already.")
STATUS_ROW(STATUS_TRANSACTION_SCOPE_CALLBACKS_NOT_SET, 6836,
    "The transaction scope callbacks of this thread are not set.")

/* ---- errors everybody knows ---- */
STATUS_ROW(STATUS_UNSUCCESSFUL, 31,
    "The operation failed.")
STATUS_ROW(STATUS_NOT_IMPLEMENTED, 1,
    "The operation is not implemented.")
STATUS_ROW(STATUS_INVALID_INFO_CLASS, 87,
    "This kind of information cannot be queried or set here.")
STATUS_ROW(STATUS_INFO_LENGTH_MISMATCH, 24,
    "The length of the buffer does not fit the kind of information.")
STATUS_ROW(STATUS_ACCESS_VIOLATION, 998,
    "A pointer argument does not lead to memory.")
STATUS_ROW(STATUS_INVALID_HANDLE, 6,
    "The handle is not open.")
STATUS_ROW(STATUS_INVALID_PARAMETER, 87,
    "An argument has a value that is not allowed.")
STATUS_ROW(STATUS_END_OF_FILE, 38,
    "There is nothing more to read.")
STATUS_ROW(STATUS_NO_MEMORY, 8,
    "There is not enough memory.")
STATUS_ROW(STATUS_ACCESS_DENIED, 5,
    "The right to do this is missing.")
STATUS_ROW(STATUS_BUFFER_TOO_SMALL, 122,
    "The buffer is too small; nothing was written to it.")
STATUS_ROW(STATUS_OBJECT_TYPE_MISMATCH, 6,
    "The object is of another type than the operation needs.")
STATUS_ROW(STATUS_OBJECT_NAME_INVALID, 123,
    "The name is malformed.")
STATUS_ROW(STATUS_OBJECT_NAME_NOT_FOUND, 2,
    "Nothing of that name exists.")
STATUS_ROW(STATUS_OBJECT_NAME_COLLISION, 183,
    "The name or identifier is in use already.")
STATUS_ROW(STATUS_OBJECT_PATH_NOT_FOUND, 3,
    "A directory of the path does not exist.")
STATUS_ROW(STATUS_OBJECT_PATH_SYNTAX_BAD, 161,
    "The path is malformed or of a form that is not allowed here.")
STATUS_ROW(STATUS_CRC_ERROR, 23,
    "A checksum does not match the data.")
STATUS_ROW(STATUS_SHARING_VIOLATION, 32,
    "Somebody else has it open in a way that does not allow this.")
STATUS_ROW(STATUS_QUOTA_EXCEEDED, 1816,
    "A quota is used up.")
STATUS_ROW(STATUS_DELETE_PENDING, 5,
    "It is marked for deletion and cannot be opened any more.")
STATUS_ROW(STATUS_PRIVILEGE_NOT_HELD, 1314,
    "The caller lacks a privilege this needs.")
STATUS_ROW(STATUS_INVALID_ACL, 1336,
    "An access control list is malformed.")
STATUS_ROW(STATUS_INVALID_SID, 1337,
    "A security identifier is malformed.")
STATUS_ROW(STATUS_INVALID_SECURITY_DESCR, 1338,
    "The security descriptor is malformed.")
STATUS_ROW(STATUS_DISK_FULL, 112,
    "There is no space left on the volume.")
STATUS_ROW(STATUS_INSUFFICIENT_RESOURCES, 1450,
    "There is not enough memory or another system resource.")
STATUS_ROW(STATUS_MEDIA_WRITE_PROTECTED, 19,
    "The volume is read-only.")
STATUS_ROW(STATUS_FILE_IS_A_DIRECTORY, 5,
    "It is a directory, and a file is needed.")
STATUS_ROW(STATUS_NOT_SUPPORTED, 50,
    "This is not supported here.")
STATUS_ROW(STATUS_DUPLICATE_NAME, 52,
    "The same name was given twice.")
STATUS_ROW(STATUS_NOT_SAME_DEVICE, 17,
    "The two paths are on different volumes.")
STATUS_ROW(STATUS_INVALID_PARAMETER_1, 87,
    "The first argument has a value that is not allowed.")
STATUS_ROW(STATUS_INVALID_PARAMETER_2, 87,
    "The second argument has a value that is not allowed.")
STATUS_ROW(STATUS_INVALID_PARAMETER_3, 87,
    "The third argument has a value that is not allowed.")
STATUS_ROW(STATUS_DIRECTORY_NOT_EMPTY, 145,
    "The directory is not empty.")
STATUS_ROW(STATUS_NOT_A_DIRECTORY, 267,
    "It is not a directory, and a directory is needed.")
STATUS_ROW(STATUS_NAME_TOO_LONG, 206,
    "The name is too long.")
STATUS_ROW(STATUS_TOO_MANY_OPENED_FILES, 4,
    "Too many files are open.")
STATUS_ROW(STATUS_CANCELLED, 995,
    "The request was cancelled before it finished.")
STATUS_ROW(STATUS_IO_DEVICE_ERROR, 1117,
    "The device reported an input or output error.")
STATUS_ROW(STATUS_LOG_FILE_FULL, 1502,
    "The event log file is full.")
STATUS_ROW(STATUS_NOT_FOUND, 1168,
    "It was not found.")
STATUS_ROW(STATUS_HANDLE_NOT_CLOSABLE, 6,
    "The handle is protected from being closed.")
STATUS_ROW(STATUS_TOO_MANY_LINKS, 1142,
    "The file has as many links as the volume allows.")
STATUS_ROW(STATUS_FILE_TOO_LARGE, 223,
    "The file would become larger than is allowed.")

/* ---- transactions ---- */
STATUS_ROW(STATUS_TRANSACTIONAL_CONFLICT, 6800,
    "Another transaction is using the same thing.")
STATUS_ROW(STATUS_INVALID_TRANSACTION, 6700,
    "The transaction bound to the operation is not valid.")
STATUS_ROW(STATUS_TRANSACTION_NOT_ACTIVE, 6701,
    "The transaction is no longer active: its commit or rollback has begun or is over.")
STATUS_ROW(STATUS_TM_INITIALIZATION_FAILED, 6706,
    "The transaction manager could not be initialised; transactions are not available.")
STATUS_ROW(STATUS_RM_NOT_ACTIVE, 6801,
    "The resource manager is not started or was shut down.")
STATUS_ROW(STATUS_RM_METADATA_CORRUPT, 6802,
    "The metadata of the resource manager is damaged.")
STATUS_ROW(STATUS_TRANSACTION_NOT_JOINED, 6708,
    "The resource manager has not joined the transaction it tries to prepare.")
STATUS_ROW(STATUS_DIRECTORY_NOT_RM, 6803,
    "The directory holds no resource manager.")
STATUS_ROW(STATUS_TRANSACTIONS_UNSUPPORTED_REMOTE, 6805,
    "The remote server does not support transactions.")
STATUS_ROW(STATUS_LOG_RESIZE_INVALID_SIZE, 6806,
    "The log size asked for is not valid.")
STATUS_ROW(STATUS_REMOTE_FILE_VERSION_MISMATCH, 6814,
    "The remote server answered with another version of the file.")
STATUS_ROW(STATUS_CRM_PROTOCOL_ALREADY_EXISTS, 6710,
    "The propagation protocol is registered already.")
STATUS_ROW(STATUS_TRANSACTION_PROPAGATION_FAILED, 6711,
    "The transaction could not be propagated to another transaction manager.")
STATUS_ROW(STATUS_CRM_PROTOCOL_NOT_FOUND, 6712,
    "The propagation protocol is not registered.")
STATUS_ROW(STATUS_TRANSACTION_SUPERIOR_EXISTS, 6709,
    "The transaction has a superior transaction manager, which alone may commit it.")
STATUS_ROW(STATUS_TRANSACTION_REQUEST_NOT_VALID, 6702,
    "The transaction is in a state that does not allow this request.")
STATUS_ROW(STATUS_TRANSACTION_NOT_REQUESTED, 6703,
    "The transaction manager is not waiting for this answer from the enlistment.")
STATUS_ROW(STATUS_TRANSACTION_ALREADY_ABORTED, 6704,
    "The transaction was rolled back.")
STATUS_ROW(STATUS_TRANSACTION_ALREADY_COMMITTED, 6705,
    "The transaction was committed.")
STATUS_ROW(STATUS_TRANSACTION_INVALID_MARSHALL_BUFFER, 6713,
    "The buffer does not hold a marshalled transaction.")
STATUS_ROW(STATUS_CURRENT_TRANSACTION_NOT_VALID, 6714,
    "The current transaction of this thread is not a transaction.")
STATUS_ROW(STATUS_LOG_GROWTH_FAILED, 6833,
    "No space could be made in the transaction log.")
STATUS_ROW(STATUS_OBJECT_NO_LONGER_EXISTS, 6807,
    "The object was deleted in this transaction.")
STATUS_ROW(STATUS_STREAM_MINIVERSION_NOT_FOUND, 6808,
    "The file has no such miniversion.")
STATUS_ROW(STATUS_STREAM_MINIVERSION_NOT_VALID, 6809,
    "The miniversion of the file is no longer valid.")
STATUS_ROW(STATUS_MINIVERSION_INACCESSIBLE_FROM_SPECIFIED_TRANSACTION, 6810,
    "The miniversion belongs to another transaction.")
STATUS_ROW(STATUS_CANT_OPEN_MINIVERSION_WITH_MODIFY_INTENT, 6811,
    "A miniversion cannot be opened for writing.")
STATUS_ROW(STATUS_CANT_CREATE_MORE_STREAM_MINIVERSIONS, 6812,
    "The file has as many miniversions as are allowed.")
STATUS_ROW(STATUS_HANDLE_NO_LONGER_VALID, 6815,
    "The handle became invalid when its transaction ended.")
STATUS_ROW(STATUS_LOG_CORRUPTION_DETECTED, 6817,
    "The transaction log cannot be created, opened or understood.")
STATUS_ROW(STATUS_RM_DISCONNECTED, 6819,
    "The outcome is unknown: the resource manager that held the single-phase commit went away.")
STATUS_ROW(STATUS_ENLISTMENT_NOT_SUPERIOR, 6820,
    "Only a superior enlistment may do this.")
STATUS_ROW(STATUS_FILE_IDENTITY_NOT_PERSISTENT, 6823,
    "The identity of the file does not outlive the volume being mounted again.")
STATUS_ROW(STATUS_CANT_BREAK_TRANSACTIONAL_DEPENDENCY, 6824,
    "Another transaction depends on this one.")
STATUS_ROW(STATUS_CANT_CROSS_RM_BOUNDARY, 6825,
    "The operation would cross from one resource manager to another.")
STATUS_ROW(STATUS_TXF_DIR_NOT_EMPTY, 6826,
    "The transaction directory is not empty.")
STATUS_ROW(STATUS_INDOUBT_TRANSACTIONS_EXIST, 6827,
    "There are transactions in doubt.")
STATUS_ROW(STATUS_TM_VOLATILE, 6828,
    "The transaction manager has no log, and this needs one.")
STATUS_ROW(STATUS_ROLLBACK_TIMER_EXPIRED, 6829,
    "The time-out of the transaction has fired already.")
STATUS_ROW(STATUS_TXF_ATTRIBUTE_CORRUPT, 6830,
    "The transaction attribute of the file is damaged.")
STATUS_ROW(STATUS_EFS_NOT_ALLOWED_IN_TRANSACTION, 6831,
    "Encryption cannot be changed in a transaction.")
STATUS_ROW(STATUS_TRANSACTIONAL_OPEN_NOT_ALLOWED, 6832,
    "The file cannot be opened in a transaction.")
STATUS_ROW(STATUS_TRANSACTED_MAPPING_UNSUPPORTED_REMOTE, 6834,
    "A remote file cannot be mapped in a transaction.")
STATUS_ROW(STATUS_TRANSACTION_REQUIRED_PROMOTION, 6837,
    "The transaction would have to span another transaction manager, which it forbids.")
STATUS_ROW(STATUS_CANNOT_EXECUTE_FILE_IN_TRANSACTION, 6838,
    "A file with uncommitted changes cannot be executed.")
STATUS_ROW(STATUS_TRANSACTIONS_NOT_FROZEN, 6839,
    "Transactions are not frozen.")
STATUS_ROW(STATUS_TRANSACTION_FREEZE_IN_PROGRESS, 6840,
    "Transactions are frozen or being frozen already.")
STATUS_ROW(STATUS_NOT_SNAPSHOT_VOLUME, 6841,
    "The volume is not a snapshot.")
STATUS_ROW(STATUS_NO_SAVEPOINT_WITH_OPEN_FILES, 6842,
    "No savepoint can be made while files are open.")
STATUS_ROW(STATUS_SPARSE_NOT_ALLOWED_IN_TRANSACTION, 6844,
    "A file cannot be made sparse in a transaction.")
STATUS_ROW(STATUS_TM_IDENTITY_MISMATCH, 6845,
    "The log belongs to a transaction manager of another identity.")
STATUS_ROW(STATUS_FLOATED_SECTION, 6846,
    "The section stays open after its file was changed by a transaction.")
STATUS_ROW(STATUS_CANNOT_ACCEPT_TRANSACTED_WORK, 6847,
    "The resource manager accepts no transacted work at present.")
STATUS_ROW(STATUS_CANNOT_ABORT_TRANSACTIONS, 6848,
    "Too many transactions could not be rolled back; the resource manager was shut down.")
STATUS_ROW(STATUS_TRANSACTION_NOT_FOUND, 6715,
    "There is no transaction with that identifier.")
STATUS_ROW(STATUS_RESOURCEMANAGER_NOT_FOUND, 6716,
    "The transaction manager has no resource manager with that identifier.")
STATUS_ROW(STATUS_ENLISTMENT_NOT_FOUND, 6717,
    "The resource manager has no enlistment with that identifier.")
STATUS_ROW(STATUS_TRANSACTIONMANAGER_NOT_FOUND, 6718,
    "There is no transaction manager with that identity.")
STATUS_ROW(STATUS_TRANSACTIONMANAGER_NOT_ONLINE, 6719,
    "The transaction manager or resource manager is not recovered, or its log failed.")
STATUS_ROW(STATUS_TRANSACTIONMANAGER_RECOVERY_NAME_COLLISION, 6720,
    "Recovery found an identifier in the log that is in use already.")
STATUS_ROW(STATUS_TRANSACTION_NOT_ROOT, 6721,
    "The transaction is a branch of another and cannot have a superior of its own.")
STATUS_ROW(STATUS_TRANSACTION_OBJECT_EXPIRED, 6722,
    "The handle is stale: its transaction manager or resource manager was closed.")
STATUS_ROW(STATUS_COMPRESSION_NOT_ALLOWED_IN_TRANSACTION, 6850,
    "Compression cannot be changed in a transaction.")
STATUS_ROW(STATUS_TRANSACTION_RESPONSE_NOT_ENLISTED, 6723,
    "The superior enlistment did not ask for the notification that ends this phase.")
STATUS_ROW(STATUS_TRANSACTION_RECORD_TOO_LONG, 6724,
    "The log record would be too long: too many enlistments or too much recovery information.")
STATUS_ROW(STATUS_NO_LINK_TRACKING_IN_TRANSACTION, 6852,
    "Link tracking is not available in a transaction.")
STATUS_ROW(STATUS_OPERATION_NOT_SUPPORTED_IN_TRANSACTION, 6853,
    "This cannot be done in a transaction.")
STATUS_ROW(STATUS_TRANSACTION_INTEGRITY_VIOLATED, 6726,
    "The transaction had to be given up because it blocked progress.")
STATUS_ROW(STATUS_TRANSACTIONMANAGER_IDENTITY_MISMATCH, 6727,
    "The identity given is not the one stored in the log.")
STATUS_ROW(STATUS_RM_CANNOT_BE_FROZEN_FOR_SNAPSHOT, 6728,
    "A resource manager cannot be frozen in its present state.")
STATUS_ROW(STATUS_TRANSACTION_MUST_WRITETHROUGH, 6729,
    "It is too late to cache: enlist without asking for PREPREPARE and write through.")
STATUS_ROW(STATUS_TRANSACTION_NO_SUPERIOR, 6730,
    "The transaction has no superior enlistment.")
STATUS_ROW(STATUS_EXPIRED_HANDLE, 6854,
    "The handle no longer belongs to its transaction.")
STATUS_ROW(STATUS_TRANSACTION_NOT_ENLISTED, 6855,
    "The resource manager is not enlisted in the transaction.")

/* ---- logs ---- */
STATUS_ROW(STATUS_LOG_SECTOR_INVALID, 6600,
    "A sector of a log block is not valid.")
STATUS_ROW(STATUS_LOG_SECTOR_PARITY_INVALID, 6601,
    "The signature of a log sector does not match.")
STATUS_ROW(STATUS_LOG_SECTOR_REMAPPED, 6602,
    "A log sector was remapped.")
STATUS_ROW(STATUS_LOG_BLOCK_INCOMPLETE, 6603,
    "The log block is torn, or larger than the blocks of the marshalling area.")
STATUS_ROW(STATUS_LOG_INVALID_RANGE, 6604,
    "The LSN lies outside the range allowed.")
STATUS_ROW(STATUS_LOG_BLOCKS_EXHAUSTED, 6605,
    "The marshalling area has no free block.")
STATUS_ROW(STATUS_LOG_READ_CONTEXT_INVALID, 6606,
    "The read or archive context is not valid.")
STATUS_ROW(STATUS_LOG_RESTART_INVALID, 6607,
    "The restart area is not valid.")
STATUS_ROW(STATUS_LOG_BLOCK_VERSION, 6608,
    "The log was written in a format version this program does not know.")
STATUS_ROW(STATUS_LOG_BLOCK_INVALID, 6609,
    "The log block is not valid.")
STATUS_ROW(STATUS_LOG_READ_MODE_INVALID, 6610,
    "The read mode is not valid.")
STATUS_ROW(STATUS_LOG_METADATA_CORRUPT, 6612,
    "The metadata of the log is damaged.")
STATUS_ROW(STATUS_LOG_METADATA_INVALID, 6613,
    "The metadata of the log has impossible values.")
STATUS_ROW(STATUS_LOG_METADATA_INCONSISTENT, 6614,
    "The metadata of the log contradicts itself or the containers.")
STATUS_ROW(STATUS_LOG_RESERVATION_INVALID, 6615,
    "The reservation of log space is not possible.")
STATUS_ROW(STATUS_LOG_CANT_DELETE, 6616,
    "The log or container is in use and cannot be deleted.")
STATUS_ROW(STATUS_LOG_CONTAINER_LIMIT_EXCEEDED, 6617,
    "The log would have too many containers.")
STATUS_ROW(STATUS_LOG_START_OF_LOG, 6618,
    "The position is before the start of the log that is still needed.")
STATUS_ROW(STATUS_LOG_POLICY_ALREADY_INSTALLED, 6619,
    "A log policy of this type is installed already.")
STATUS_ROW(STATUS_LOG_POLICY_NOT_INSTALLED, 6620,
    "No log policy of this type is installed.")
STATUS_ROW(STATUS_LOG_POLICY_INVALID, 6621,
    "The log policy is not valid, or the policies contradict each other.")
STATUS_ROW(STATUS_LOG_POLICY_CONFLICT, 6622,
    "A log policy prevents this.")
STATUS_ROW(STATUS_LOG_PINNED_ARCHIVE_TAIL, 6623,
    "The log has no space because its archive tail does not move.")
STATUS_ROW(STATUS_LOG_RECORD_NONEXISTENT, 6624,
    "There is no log record at that LSN.")
STATUS_ROW(STATUS_LOG_RECORDS_RESERVED_INVALID, 6625,
    "No log record is reserved for this.")
STATUS_ROW(STATUS_LOG_SPACE_RESERVED_INVALID, 6626,
    "Too little log space is reserved for this.")
STATUS_ROW(STATUS_LOG_TAIL_INVALID, 6627,
    "The base LSN or archive tail is out of range.")
STATUS_ROW(STATUS_LOG_FULL, 6628,
    "The log is full.")
STATUS_ROW(STATUS_LOG_MULTIPLEXED, 6630,
    "The log is multiplexed: open one of its streams.")
STATUS_ROW(STATUS_LOG_DEDICATED, 6631,
    "The log is dedicated and has no named streams.")
STATUS_ROW(STATUS_LOG_ARCHIVE_NOT_IN_PROGRESS, 6632,
    "The log is not being archived.")
STATUS_ROW(STATUS_LOG_ARCHIVE_IN_PROGRESS, 6633,
    "The log is being archived already.")
STATUS_ROW(STATUS_LOG_EPHEMERAL, 6634,
    "The log keeps no archive tail.")
STATUS_ROW(STATUS_LOG_NOT_ENOUGH_CONTAINERS, 6635,
    "The log has fewer than two containers.")
STATUS_ROW(STATUS_LOG_CLIENT_ALREADY_REGISTERED, 6636,
    "A client of log management is registered already.")
STATUS_ROW(STATUS_LOG_CLIENT_NOT_REGISTERED, 6637,
    "No client of log management is registered.")
STATUS_ROW(STATUS_LOG_FULL_HANDLER_IN_PROGRESS, 6638,
    "An earlier request to make log space is still being worked on.")
STATUS_ROW(STATUS_LOG_CONTAINER_READ_FAILED, 6639,
    "A log container could not be read.")
STATUS_ROW(STATUS_LOG_CONTAINER_WRITE_FAILED, 6640,
    "A log container could not be written.")
STATUS_ROW(STATUS_LOG_CONTAINER_OPEN_FAILED, 6641,
    "A log container is missing or could not be opened.")
STATUS_ROW(STATUS_LOG_CONTAINER_STATE_INVALID, 6642,
    "A log container is in a state that does not allow this.")
STATUS_ROW(STATUS_LOG_STATE_INVALID, 6643,
    "The log has failed or is in a state that does not allow this; it must be opened again.")
STATUS_ROW(STATUS_LOG_PINNED, 6644,
    "The log has no space because a client does not move its base.")
STATUS_ROW(STATUS_LOG_METADATA_FLUSH_FAILED, 6645,
    "The metadata of the log could not be written.")
STATUS_ROW(STATUS_LOG_INCONSISTENT_SECURITY, 6646,
    "A container grants more access than its log.")
STATUS_ROW(STATUS_LOG_APPENDED_FLUSH_FAILED, 6647,
    "The record was appended, but whether it is durable is not known.")
STATUS_ROW(STATUS_LOG_PINNED_RESERVATION, 6648,
    "The log has no space because reservations hold most of it.")
