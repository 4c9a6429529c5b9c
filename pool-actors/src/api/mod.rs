//! TAKEN OVER by another engineer, see NOTICE_FROM_LEAD.md
