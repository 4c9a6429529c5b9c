DELETE FROM share_hours WHERE hour < :oldest
