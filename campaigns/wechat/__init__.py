"""What WeChat's accounts do in our house: followers, tags, menus, codes, articles, chats, statistics."""
