# The header with the Lua scripts and their result codes.

ngx_ticket_lua=`echo $ngx_addon_dir/lua/*.lua $ngx_addon_dir/lua/codes \
    $ngx_addon_dir/lua/embed`

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/ticket_scripts.h:	$ngx_ticket_lua
	sh $ngx_addon_dir/lua/embed header > $NGX_OBJS/ticket_scripts.tmp
	mv $NGX_OBJS/ticket_scripts.tmp $NGX_OBJS/ticket_scripts.h

END
