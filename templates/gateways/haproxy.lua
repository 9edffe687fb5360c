# {{ site.callback_path }}
